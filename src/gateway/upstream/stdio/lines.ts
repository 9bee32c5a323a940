/**
 * Lines of JSON out of a child's standard output (MCP, stdio transport): each bounded in length, all together bounded in rate, so that a
 * child that floods is cut instead of heard.
 */
export interface LineBounds {
  /** Bytes of one line. */
  line: number;
  /** Lines and bytes within `window` milliseconds. */
  lines: number;
  bytes: number;
  window: number;
}

export class Flood extends Error {}

/** @returns a function to be given each chunk. @throws Flood (from it) when a bound is passed. */
export function createLineReader(bounds: LineBounds, onLine: (line: Buffer) => void, now: () => number = () => performance.now()): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let length = 0;
  let since = now();
  let [lines, bytes] = [0, 0];
  return (chunk) => {
    if (now() - since > bounds.window) {
      since = now();
      [lines, bytes] = [0, 0];
    }
    bytes += chunk.length;
    if (bytes > bounds.bytes) throw new Flood(`more than ${bounds.bytes} bytes within ${bounds.window / 1000} s`);
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      const piece = chunk.subarray(start, end);
      start = end + 1;
      if (length + piece.length > bounds.line) throw new Flood(`a line of more than ${bounds.line} bytes`);
      if (++lines > bounds.lines) throw new Flood(`more than ${bounds.lines} lines within ${bounds.window / 1000} s`);
      const line = parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      [parts, length] = [[], 0];
      if (line.length > 0 && !(line.length === 1 && line[0] === 0x0d)) onLine(line);
    }
    const rest = chunk.subarray(start);
    if (rest.length === 0) return;
    length += rest.length;
    if (length > bounds.line) throw new Flood(`a line of more than ${bounds.line} bytes`);
    parts.push(rest);
  };
}
