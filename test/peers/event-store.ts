/** The events of one session, kept so that a client can resume a broken stream with `Last-Event-ID` (2025-03-26 to 2025-11-25). */
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

/** Far beyond any test; the oldest events go first. */
const limit = 1000;

export function createEventStore(): EventStore {
  const events: { id: string; stream: string; message: JSONRPCMessage }[] = [];
  let count = 0;
  return {
    async storeEvent(stream, message) {
      count += 1;
      const id = `${stream}~${count}`;
      events.push({ id, stream, message });
      if (events.length > limit) events.shift();
      return id;
    },
    async getStreamIdForEventId(id) {
      return events.find((event) => event.id === id)?.stream;
    },
    async replayEventsAfter(lastId, { send }) {
      const index = events.findIndex((event) => event.id === lastId);
      const stream = events[index]?.stream ?? "";
      for (const { id, stream: of, message } of events.slice(index + 1)) {
        // A priming event carries no message.
        if (of === stream && Object.keys(message).length > 0) await send(id, message);
      }
      return stream;
    },
  };
}
