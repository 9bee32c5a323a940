/** A session of 2025 or before over a channel: a child's standard streams, or the HTTP+SSE of 2024-11-05. */
import type { Channel, JsonObject } from "../exchange.ts";
import { createConnection } from "./connection.ts";
import { createConversation, type Inquiry } from "./conversation.ts";
import type { Deadline } from "./deadline.ts";
import { UpstreamError } from "./http.ts";
import { wireError } from "./rpc.ts";
import { initializeParams, initializeRefused, readInitialized, type LegacySession } from "./session.ts";
import type { StreamableOptions } from "./streamable-session.ts";

export async function openChannelSession(channel: Channel, { capabilities, info, limits, deadline, onNotification }: Omit<StreamableOptions, "endpoint" | "credential">): Promise<LegacySession> {
  let level: string | undefined;
  const connection = createConnection(channel, (message) => conversation.hear(message));
  const conversation = createConversation({ reply: connection.tell, onNotification, mostQuestions: limits.questions });

  const request = async (inquiry: Inquiry): Promise<JsonObject> => {
    const { id, request: message } = conversation.begin(inquiry);
    try {
      const answer = await connection.request(id, message, inquiry.deadline);
      if (answer.kind === "result") return answer.result;
      throw inquiry.method === "initialize" ? initializeRefused(answer.error) : wireError(answer.error);
    } finally {
      conversation.end(id);
    }
  };
  const own = (method: string, params: JsonObject, clock: Deadline): Inquiry => ({ method, params, logLevel: undefined, deadline: clock, notify: () => undefined, ask: async () => Promise.reject(new UpstreamError("broken", "The upstream asked before it was asked")) });

  try {
    const initialized = readInitialized(await request(own("initialize", initializeParams(capabilities, info), deadline)));
    connection.tell({ jsonrpc: "2.0", method: "notifications/initialized" });
    return {
      initialized,
      get isAlive() {
        return connection.isAlive;
      },
      lost: connection.lost,
      async request(inquiry) {
        const { logLevel, method, params } = inquiry;
        if (logLevel !== undefined && logLevel !== level && initialized.capabilities["logging"] !== undefined && method !== "logging/setLevel") {
          level = logLevel;
          await request(own("logging/setLevel", { level: logLevel }, inquiry.deadline));
        }
        const result = await request(inquiry);
        inquiry.deadline.touch();
        if (method === "logging/setLevel" && typeof params?.["level"] === "string") level = params["level"];
        return result;
      },
      hear: async () => true,
      close: connection.close,
    };
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}
