/** Server-sent events as MCP writes them (WHATWG HTML section 9.2; MCP Streamable HTTP). */

/** JSON holds no line break, so that a message is one data line. */
export function encodeEvent(data: string, { id, event, retry }: { id?: string | undefined; event?: string; retry?: number } = {}): string {
  return `${event === undefined ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${id}\n`}${retry === undefined ? "" : `retry: ${retry}\n`}data: ${data}\n\n`;
}

export const keepAliveComment = ": still here\n\n";
