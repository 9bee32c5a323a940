/** Reads server-sent events (WHATWG HTML section 9.2) from bytes as they come: in linear time, and none larger than a limit. */

export interface ServerEvent {
  /** "message" where none is named. */
  event: string;
  data: string;
  /** Of the event itself; the last one seen is `EventReader.lastId`. */
  id: string | undefined;
}

export interface EventReader {
  /** @throws RangeError when an event is larger than the limit; TypeError for what is not UTF-8. */
  push(chunk: Uint8Array): void;
  readonly lastId: string | undefined;
  /** Milliseconds that the server wants a client to wait before it comes back. */
  readonly retry: number | undefined;
}

/** @param maxSize UTF-16 units of one event. */
export function createEventReader(maxSize: number, onEvent: (event: ServerEvent) => void): EventReader {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  /** Pieces of the line that is not complete yet. */
  let pieces: string[] = [];
  let size = 0;
  let endedInReturn = false;
  let name = "";
  let data: string[] = [];
  let id: string | undefined;
  let lastId: string | undefined;
  let retry: number | undefined;

  const grow = (by: number) => {
    size += by;
    if (size > maxSize) throw new RangeError("The event is too large");
  };
  const dispatch = () => {
    const event = { event: name === "" ? "message" : name, data: data.join("\n"), id };
    const isEmpty = data.length === 0;
    [name, data, id, size] = ["", [], undefined, 0];
    if (!isEmpty) onEvent(event);
  };
  const takeLine = (line: string) => {
    if (line === "") return dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) {
      size -= line.length;
      return;
    }
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    if (field === "data") data.push(value);
    else if (field === "event") name = value;
    else if (field === "id" && !value.includes("\0")) id = lastId = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) retry = Number(value);
  };

  return {
    get lastId() {
      return lastId;
    },
    get retry() {
      return retry;
    },
    push(chunk) {
      const text = decoder.decode(chunk, { stream: true });
      let from = endedInReturn && text.startsWith("\n") ? 1 : 0;
      if (text !== "") endedInReturn = false;
      const lineEnd = /\r\n|\n|\r/g;
      lineEnd.lastIndex = from;
      for (let match = lineEnd.exec(text); match; match = lineEnd.exec(text)) {
        const rest = text.slice(from, match.index);
        grow(rest.length);
        const line = pieces.length === 0 ? rest : pieces.join("") + rest;
        pieces = [];
        from = lineEnd.lastIndex;
        takeLine(line);
      }
      if (text.endsWith("\r")) endedInReturn = true;
      if (from < text.length) {
        pieces.push(text.slice(from));
        grow(text.length - from);
      }
    },
  };
}
