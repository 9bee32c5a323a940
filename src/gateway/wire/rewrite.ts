/**
 * Replaces a few named members of JSON that streams past, and the ids of server-sent events, without holding more than the value that is
 * replaced: everything else leaves as the bytes that came. Text that a JSON parser would refuse passes as it is.
 */
import { parseUntrustedJson } from "../../kernel/json.ts";

/** Which members are wanted: by name down through objects, `[]` for the elements of an array; a text is what `replace` is told. */
export interface Wanted {
  readonly [member: string]: Wanted | string;
}

/** @returns what stands there instead; undefined leaves it, byte for byte. */
export type Replace = (what: string, text: string) => string | undefined;

export interface Rewriter {
  push(chunk: Buffer): Buffer;
  /** What was held back; ends the text. */
  end(): Buffer;
}

/** Strings that are replaced, and names, may have this many bytes; a longer one is passed on as it is. */
const longest = 1_048_576;

const quote = 0x22;
const backslash = 0x5c;

/** Follows the nesting of one JSON text. */
function createFollower(wanted: Wanted, replace: Replace) {
  /** For each open container what is wanted of its members; an object has its current name. */
  let stack: { wanted: Wanted | undefined; array: boolean; name: string | undefined }[] = [];
  let expectName = false;
  /** A string is open: its bytes when they are needed. */
  let open: { held: Buffer[] | undefined; size: number; as: string | undefined; isName: boolean } | undefined;
  let slashes = 0;

  const top = () => stack[stack.length - 1];
  const here = (): Wanted | string | undefined => {
    const container = top();
    if (container === undefined) return wanted;
    const name = container.array ? "[]" : container.name;
    return container.wanted === undefined || name === undefined || !Object.hasOwn(container.wanted, name) ? undefined : container.wanted[name];
  };

  return {
    reset() {
      stack = [];
      expectName = false;
      open = undefined;
      slashes = 0;
    },
    /** Whether nothing but this value's own bytes may be missing from the output. */
    get holding(): Buffer[] {
      return open?.as === undefined ? [] : (open.held ?? []);
    },
    feed(chunk: Buffer, emit: (bytes: Buffer) => void): void {
      let emitted = 0;
      let at = 0;
      while (at < chunk.length) {
        if (open) {
          const end = endOfString(chunk, at);
          const piece = chunk.subarray(at, end === -1 ? chunk.length : end + 1);
          if (open.held) {
            open.held.push(piece);
            open.size += piece.length;
            if (open.size > longest) {
              if (open.as !== undefined) for (const held of open.held) emit(held);
              open.held = undefined;
              open.as = undefined;
            }
            if (open.as !== undefined || open.size > longest) emitted = at + piece.length;
          }
          if (end === -1) return void (emitted < chunk.length && emit(chunk.subarray(emitted)));
          const { held, as, isName } = open;
          open = undefined;
          at = end + 1;
          if (!held) continue;
          const text = stringOf(held);
          if (isName) {
            const container = top();
            if (container) container.name = text;
          } else if (as !== undefined) {
            const replacement = text === undefined ? undefined : replace(as, text);
            for (const bytes of replacement === undefined ? held : [Buffer.from(JSON.stringify(replacement))]) emit(bytes);
          }
          continue;
        }
        const code = chunk[at];
        if (code === quote) {
          const container = top();
          const isName = expectName;
          const target = isName ? undefined : here();
          const as = typeof target === "string" ? target : undefined;
          const needed = as !== undefined || (isName && container?.wanted !== undefined);
          if (isName) expectName = false;
          slashes = 0;
          // Nearly always the string ends within its piece and is not replaced.
          const end = as === undefined ? endOfString(chunk, at + 1) : -1;
          if (end !== -1) {
            if (needed && container) container.name = nameOf(chunk.subarray(at, end + 1));
            at = end + 1;
            continue;
          }
          open = { held: needed ? [chunk.subarray(at, at + 1)] : undefined, size: 1, as, isName };
          slashes = 0;
          if (as !== undefined) {
            if (at > emitted) emit(chunk.subarray(emitted, at));
            emitted = at + 1;
          }
        } else if (code === 0x7b || code === 0x5b) {
          const inner = here();
          stack.push({ wanted: typeof inner === "object" ? inner : undefined, array: code === 0x5b, name: undefined });
          expectName = code === 0x7b;
        } else if (code === 0x7d || code === 0x5d) {
          stack.pop();
          expectName = false;
        } else if (code === 0x2c) {
          const container = top();
          expectName = container !== undefined && !container.array;
          if (container) container.name = undefined;
        }
        at++;
      }
      if (emitted < chunk.length) emit(chunk.subarray(emitted));
    },
  };

  /** @returns the index of the closing quote, or -1 when the string goes on in the next chunk. */
  function endOfString(chunk: Buffer, from: number): number {
    let search = from;
    for (;;) {
      const at = chunk.indexOf(quote, search);
      const until = at === -1 ? chunk.length : at;
      let before = 0;
      while (until - 1 - before >= search && chunk[until - 1 - before] === backslash) before++;
      // Backslashes that run up to the start of the piece go on from the one before.
      if (until - before === search) before += slashes;
      if (at === -1) {
        slashes = before % 2;
        return -1;
      }
      slashes = 0;
      if (before % 2 === 0) return at;
      search = at + 1;
    }
  }
}

/** Names that are wanted are plain ASCII: only escapes need a parser. */
function nameOf(quoted: Buffer): string | undefined {
  return quoted.includes(backslash) ? stringOf([quoted]) : quoted.toString("latin1", 1, quoted.length - 1);
}

function stringOf(held: Buffer[]): string | undefined {
  try {
    const value = parseUntrustedJson(Buffer.concat(held), { maxBytes: 2 * longest });
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

export function createJsonRewriter(wanted: Wanted, replace: Replace): Rewriter {
  const follower = createFollower(wanted, replace);
  return {
    push(chunk) {
      const out: Buffer[] = [];
      follower.feed(chunk, (bytes) => void out.push(bytes));
      return out.length === 1 && out[0] ? out[0] : Buffer.concat(out);
    },
    end: () => Buffer.concat(follower.holding),
  };
}

/** As above for the data of every event; `replaceId` gives the event ids their new form, `onEvent` hears of the end of each. */
export function createEventRewriter(wanted: Wanted, replace: Replace, replaceId: (id: string) => string, onEvent: () => void = () => undefined): Rewriter {
  const follower = createFollower(wanted, replace);
  /** The start of a line until its field is known, and all of an `id` line. */
  let head: Buffer[] = [];
  let headLength = 0;
  let field: "unknown" | "data" | "id" | "other" = "unknown";
  let afterCarriageReturn = false;

  const takeHead = () => {
    const bytes = Buffer.concat(head);
    head = [];
    headLength = 0;
    return bytes;
  };
  const writeHead = (emit: (bytes: Buffer) => void) => {
    const bytes = takeHead();
    if (bytes.length > 0) emit(bytes);
  };
  const writeId = (emit: (bytes: Buffer) => void) => {
    const line = takeHead().toString("utf8");
    const value = line.slice("id:".length).replace(/^ /, "");
    emit(Buffer.from(value === "" ? line : `id: ${replaceId(value)}`));
  };

  return {
    push(chunk) {
      const out: Buffer[] = [];
      const emit = (bytes: Buffer) => void out.push(bytes);
      let at = 0;
      while (at < chunk.length) {
        const next = nextBreak(chunk, at);
        const piece = chunk.subarray(at, next === -1 ? chunk.length : next);
        if (field === "unknown" || field === "id") {
          head.push(piece);
          headLength += piece.length;
          if (field === "unknown" && headLength >= "data:".length) {
            const start = Buffer.concat(head).toString("latin1");
            field = start.startsWith("data:") ? "data" : start.startsWith("id:") ? "id" : "other";
            if (field === "data") {
              const bytes = takeHead();
              emit(bytes.subarray(0, "data:".length));
              follower.feed(bytes.subarray("data:".length), emit);
            } else if (field === "other") writeHead(emit);
          }
        } else if (field === "data") follower.feed(piece, emit);
        else if (piece.length > 0) emit(piece);
        if (next === -1) break;
        // The end of a line. A blank one ends the event; the second half of CR LF is no line of its own.
        const isSecondHalf = afterCarriageReturn && chunk[next] === 0x0a && piece.length === 0 && field === "unknown" && headLength === 0;
        if (!isSecondHalf) {
          const short = field === "unknown" ? Buffer.concat(head).toString("latin1") : "";
          if (field === "id" || short.startsWith("id:")) writeId(emit);
          else if (field === "unknown") {
            if (headLength === 0) {
              follower.reset();
              onEvent();
            }
            writeHead(emit);
          }
          field = "unknown";
        }
        emit(chunk.subarray(next, next + 1));
        afterCarriageReturn = chunk[next] === 0x0d;
        at = next + 1;
      }
      return out.length === 1 && out[0] ? out[0] : Buffer.concat(out);
    },
    end: () => Buffer.concat([...head, ...follower.holding]),
  };
}

function nextBreak(chunk: Buffer, from: number): number {
  const feed = chunk.indexOf(0x0a, from);
  const until = feed === -1 ? chunk.length : feed;
  // CR alone is rare: only what lies before the next LF is looked at.
  const carriage = chunk.subarray(from, until).indexOf(0x0d);
  return carriage === -1 ? feed : from + carriage;
}
