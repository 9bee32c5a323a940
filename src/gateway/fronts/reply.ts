/**
 * One HTTP response that stays plain JSON as long as it can and becomes an event stream when something must be said before the answer, or
 * when the answer takes its time. Keeps open streams alive and cuts readers that stopped reading.
 */
import type { ServerResponse } from "node:http";
import { keepAliveComment } from "../wire/sse.ts";

export interface ReplyOptions {
  response: ServerResponse;
  /** Flat list of the headers that every response carries. */
  headers: readonly string[];
  /** Milliseconds between comments on an open stream. */
  keepAlive: number;
  /** Milliseconds after which a silent response becomes a stream; undefined: not by itself. */
  patience?: number;
  /** Bytes that may wait for the reader. */
  buffer: number;
  /** What a stream begins with. */
  prelude?: () => string;
  /** The reader did not keep up and was cut. */
  onCut?: () => void;
}

export interface Reply {
  /** Sends an event; the response becomes a stream. */
  event(frame: string): void;
  open(): void;
  /** The last word: as JSON with this status, or as an event where the stream is open already. */
  answer(status: number, json: string, frame: string, headers?: readonly string[]): void;
  /** Ends without a word: an open stream, or an empty response with this status. */
  end(status: number): void;
  /** Resolves when the response is over, however that came. */
  readonly closed: Promise<void>;
  /** Whether it has become a stream. */
  readonly streaming: boolean;
  /** True once the client is gone or the response is complete. */
  readonly over: boolean;
  /** Called when the client is gone before the last word. */
  onLeft(listener: () => void): void;
  readonly status: number;
  readonly bytes: number;
}

export function createReply({ response, headers, keepAlive, patience, buffer, prelude, onCut }: ReplyOptions): Reply {
  let status = 0;
  let bytes = 0;
  let streaming = false;
  let said = false;
  let over = false;
  let pulse: NodeJS.Timeout | undefined;
  const listeners: (() => void)[] = [];
  const write = (text: string) => {
    if (over) return;
    // A reader that stopped reading must not hold what is meant for it.
    if (response.writableLength > buffer) {
      onCut?.();
      return void response.destroy();
    }
    bytes += Buffer.byteLength(text);
    response.write(text);
  };
  const open = () => {
    if (streaming || said || over) return;
    streaming = true;
    status = 200;
    clearTimeout(patient);
    response.writeHead(200, [...headers, "content-type", "text/event-stream", "cache-control", "no-store", "x-accel-buffering", "no"]);
    response.flushHeaders();
    const first = prelude?.() ?? "";
    if (first !== "") write(first);
    pulse = setInterval(() => write(keepAliveComment), keepAlive);
  };
  const patient = patience === undefined ? undefined : setTimeout(open, patience);
  const closed = new Promise<void>((resolve) => {
    response.once("close", () => {
      over = true;
      clearTimeout(patient);
      clearInterval(pulse);
      resolve();
      if (!said) for (const listener of listeners.splice(0)) listener();
    });
  });
  const last = (act: () => void) => {
    if (said || over) return;
    said = true;
    clearTimeout(patient);
    clearInterval(pulse);
    act();
  };
  return {
    event(frame) {
      if (said) return;
      open();
      write(frame);
    },
    open,
    answer(code, json, frame, further = []) {
      last(() => {
        if (streaming) {
          bytes += Buffer.byteLength(frame);
          return void response.end(frame);
        }
        status = code;
        bytes = Buffer.byteLength(json);
        response.writeHead(code, [...headers, ...further, "content-type", "application/json", "cache-control", "no-store", "content-length", String(bytes)]);
        response.end(json);
      });
    },
    end(code) {
      last(() => {
        if (!streaming) {
          status = code;
          response.writeHead(code, [...headers, "content-length", "0"]);
        }
        response.end();
      });
    },
    closed,
    onLeft: (listener) => void (over && !said ? listener() : listeners.push(listener)),
    get streaming() {
      return streaming;
    },
    get over() {
      return over || said;
    },
    get status() {
      return status;
    },
    get bytes() {
      return bytes;
    },
  };
}
