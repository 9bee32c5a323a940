/**
 * A QR code (ISO/IEC 18004) as SVG, for what is scanned from our own pages: bytes, error correction level M, versions 1 to 13, which holds
 * 331 bytes. Made here and not by a service or a package, because what it shows is a secret.
 */
import { Html, html } from "../../net/html.ts";

const longest = 331;
/** By version, level M: codewords of error correction per block, and how many data codewords each block has. */
const versions: readonly (readonly [number, readonly number[]])[] = [
  [10, [16]], [16, [28]], [26, [44]], [18, [32, 32]], [24, [43, 43]], [16, [27, 27, 27, 27]], [18, [31, 31, 31, 31]], [22, [38, 38, 39, 39]], [22, [36, 36, 36, 37, 37]], [26, [43, 43, 43, 43, 44]], [30, [50, 51, 51, 51, 51]], [22, [36, 36, 36, 36, 36, 36, 37, 37]], [22, [37, 37, 37, 37, 37, 37, 37, 37, 38]],
];
const alignment: readonly (readonly number[])[] = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50], [6, 30, 54], [6, 32, 58], [6, 34, 62]];

const masks: readonly ((row: number, column: number) => boolean)[] = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_row, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

type Grid = (boolean | undefined)[][];

/** @returns undefined when the text is too long. */
export function qrCode(text: string, label: string): Html | undefined {
  if (Buffer.byteLength(text) > longest) return undefined;
  const modules = qrModules(text);
  const size = modules.length + 8;
  const path = modules.flatMap((line, row) => line.flatMap((dark, column) => (dark ? [`M${column + 4} ${row + 4}h1v1h-1z`] : []))).join("");
  return html`<svg class="qr" role="img" aria-label="${label}" viewBox="0 0 ${size} ${size}" width="${size * 5}" height="${size * 5}" shape-rendering="crispEdges"><rect width="${size}" height="${size}" fill="#fff"/><path fill="#000" d="${path}"/></svg>`;
}

/** Rows of modules, true for dark. @throws Error when the text is too long. */
export function qrModules(text: string): boolean[][] {
  const bytes = Buffer.from(text, "utf8");
  const version = versions.findIndex(([, blocks], index) => sum(blocks) * 8 >= 4 + (index < 9 ? 8 : 16) + bytes.length * 8) + 1;
  if (version === 0) throw new Error("Too long for a QR code of ours");
  const codewords = interleave(dataOf(bytes, version), version);
  const base = skeleton(version);
  const free = base.map((line) => line.map((module) => module === undefined));
  place(base, codewords);
  const candidates = masks.map((mask, index) => {
    const grid = base.map((line, row) => line.map((module, column) => (module ?? false) !== (free[row]?.[column] === true && mask(row, column))));
    drawFormat(grid, index);
    return grid;
  });
  return candidates.reduce((best, grid) => (penalty(grid) < penalty(best) ? grid : best));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Mode, count, bytes, terminator and padding, as codewords. */
function dataOf(bytes: Buffer, version: number): number[] {
  const capacity = sum(versions[version - 1]?.[1] ?? []);
  const bits: number[] = [...bitsOf(4, 4), ...bitsOf(bytes.length, version < 10 ? 8 : 16), ...[...bytes].flatMap((byte) => bitsOf(byte, 8))];
  bits.push(...Array.from({ length: Math.min(4, capacity * 8 - bits.length) }, () => 0));
  while (bits.length % 8 !== 0) bits.push(0);
  const words = Array.from({ length: bits.length / 8 }, (_, at) => bits.slice(at * 8, at * 8 + 8).reduce((word, bit) => word * 2 + bit, 0));
  for (let pad = 0xec; words.length < capacity; pad ^= 0xfd) words.push(pad);
  return words;
}

function bitsOf(value: number, length: number): number[] {
  return Array.from({ length }, (_, at) => (value >>> (length - 1 - at)) & 1);
}

/** Multiplication in GF(256) with the polynomial 0x11d. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) product = ((product << 1) ^ ((product >>> 7) * 0x11d)) ^ (((b >>> bit) & 1) * a);
  return product;
}

/** Reed-Solomon remainder of a block. */
function correction(block: readonly number[], degree: number): number[] {
  const divisor = Array.from<unknown, number>({ length: degree }, (_, at) => (at === degree - 1 ? 1 : 0));
  for (let step = 0, root = 1; step < degree; step++, root = multiply(root, 2)) {
    for (let at = 0; at < degree; at++) divisor[at] = multiply(divisor[at] ?? 0, root) ^ (divisor[at + 1] ?? 0);
  }
  const remainder = Array.from({ length: degree }, () => 0);
  for (const word of block) {
    const factor = word ^ (remainder.shift() ?? 0);
    remainder.push(0);
    for (let at = 0; at < degree; at++) remainder[at] = (remainder[at] ?? 0) ^ multiply(divisor[at] ?? 0, factor);
  }
  return remainder;
}

function interleave(data: readonly number[], version: number): number[] {
  const [degree, lengths] = versions[version - 1] ?? [0, []];
  let at = 0;
  const blocks = lengths.map((length) => data.slice(at, (at += length)));
  const corrections = blocks.map((block) => correction(block, degree));
  const across = (rows: readonly (readonly number[])[]) => Array.from({ length: Math.max(...rows.map((row) => row.length)) }, (_, column) => rows.flatMap((row) => row[column] ?? [])).flat();
  return [...across(blocks), ...across(corrections)];
}

/** Everything that is not data; the places of the format are taken, to be drawn later. */
function skeleton(version: number): Grid {
  const size = version * 4 + 17;
  const grid: Grid = Array.from({ length: size }, () => Array.from<boolean | undefined>({ length: size }));
  const set = (row: number, column: number, dark: boolean) => {
    const line = grid[row];
    if (line && column >= 0 && column < size) line[column] = dark;
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]] as const) {
    for (let down = -4; down <= 4; down++) for (let right = -4; right <= 4; right++) set(row + down, column + right, ![2, 4].includes(Math.max(Math.abs(down), Math.abs(right))));
  }
  const centres = alignment[version - 1] ?? [];
  const last = centres.at(-1);
  for (const row of centres) {
    for (const column of centres) {
      if ((row === 6 && column === 6) || (row === 6 && column === last) || (row === last && column === 6)) continue;
      for (let down = -2; down <= 2; down++) for (let right = -2; right <= 2; right++) set(row + down, column + right, Math.max(Math.abs(down), Math.abs(right)) !== 1);
    }
  }
  for (let at = 0; at < 9; at++) {
    if (at !== 6) {
      set(8, at, false);
      set(at, 8, false);
    }
    if (at < 8) {
      set(8, size - 1 - at, false);
      set(size - 1 - at, 8, false);
    }
  }
  set(size - 8, 8, true);
  if (version >= 7) {
    let remainder = version;
    for (let step = 0; step < 12; step++) remainder = (remainder << 1) ^ ((remainder >>> 11) * 0x1f25);
    const bits = (version << 12) | remainder;
    for (let at = 0; at < 18; at++) {
      const dark = ((bits >>> at) & 1) === 1;
      set(size - 11 + (at % 3), Math.floor(at / 3), dark);
      set(Math.floor(at / 3), size - 11 + (at % 3), dark);
    }
  }
  return grid;
}

/** In pairs of columns from the right, up and down. */
function place(grid: Grid, codewords: readonly number[]): void {
  const size = grid.length;
  const bits = codewords.flatMap((word) => bitsOf(word, 8));
  let next = 0;
  for (let right = size - 1, upward = true; right >= 1; right -= 2, upward = !upward) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const line = grid[upward ? size - 1 - step : step];
      for (const column of [right, right - 1]) if (line && line[column] === undefined) line[column] = bits[next++] === 1;
    }
  }
}

/** Level M is 00; 15 bits of BCH code, twice. */
function drawFormat(grid: boolean[][], mask: number): void {
  const size = grid.length;
  let remainder = mask;
  for (let step = 0; step < 10; step++) remainder = (remainder << 1) ^ ((remainder >>> 9) * 0x537);
  const bits = ((mask << 10) | remainder) ^ 0x5412;
  const set = (row: number, column: number, at: number) => {
    const line = grid[row];
    if (line) line[column] = ((bits >>> at) & 1) === 1;
  };
  for (let at = 0; at < 15; at++) {
    const first = at < 6 ? at : at < 8 ? at + 1 : at === 8 ? 7 : 14 - at;
    if (at < 8) set(first, 8, at);
    else set(8, first, at);
    if (at < 8) set(8, size - 1 - at, at);
    else set(size - 15 + at, 8, at);
  }
}

/** ISO/IEC 18004 section 7.8.3: long runs, blocks, false finders, imbalance. */
function penalty(grid: readonly boolean[][]): number {
  const columns = grid.map((_, column) => grid.map((line) => line[column] === true));
  let points = 0;
  for (const line of [...grid, ...columns]) {
    const text = line.map((dark) => (dark ? "1" : "0")).join("");
    for (const run of text.match(/1{5,}|0{5,}/g) ?? []) points += run.length - 2;
    for (let at = 0; at + 11 <= text.length; at++) if (["10111010000", "00001011101"].includes(text.slice(at, at + 11))) points += 40;
  }
  for (let row = 0; row + 1 < grid.length; row++) {
    for (let column = 0; column + 1 < grid.length; column++) {
      const dark = grid[row]?.[column];
      if (dark === grid[row]?.[column + 1] && dark === grid[row + 1]?.[column] && dark === grid[row + 1]?.[column + 1]) points += 3;
    }
  }
  const share = grid.flat().filter(Boolean).length / (grid.length * grid.length);
  return points + Math.floor(Math.abs(share - 0.5) * 20) * 10;
}
