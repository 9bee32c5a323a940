/**
 * The tasks extension of 2026-07-28 (SEP-2663), which the SDK does not serve: a call of these tools may become a task that is polled, fed and
 * cancelled. It stands before the SDK's handler and answers only what concerns tasks.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { text, type Result, type Tool } from "./vocabulary/types.ts";

const extension = "io.modelcontextprotocol/tasks";
export const tasksExtension = { [extension]: {} };

const none = { type: "object", properties: {}, additionalProperties: false };
const ask = (message: string) => ({ method: "elicitation/create", params: { message, requestedSchema: { type: "object", properties: { name: { type: "string" }, confirm: { type: "boolean" } } } } });

type Responses = Record<string, { content?: Record<string, unknown> } | undefined>;
type Work = (args: Record<string, unknown>, task: { signal: AbortSignal; input(questions: Record<string, object>): Promise<Responses> }) => Promise<Result>;

class ProtocolFailure extends Error {}

// A tenth of the seconds asked for: the suite looks at the order of things only, and would sleep for most of its run.
const compute: Work = async (args, { signal }) => {
  await sleep(Number(args["seconds"] ?? 0) * 100, undefined, { signal });
  return text(`Computed ${String(args["label"] ?? "")}`);
};

const works: Record<string, Work> = {
  slow_compute: compute,
  failing_job: async () => ({ ...text("The job failed"), isError: true }),
  protocol_error_job: async () => {
    throw new ProtocolFailure("The job broke the protocol");
  },
  confirm_delete: async (args, { input }) => {
    const { confirmation } = await input({ confirmation: ask(`Delete ${String(args["filename"])}?`) });
    return text(confirmation?.content?.["confirm"] === true ? "Deleted" : "Kept");
  },
  multi_input: async (_args, { input }) => {
    const given = await input({ first: ask("First?"), second: ask("Second?") });
    return text(Object.keys(given).join(", "));
  },
  test_tool_with_task: async (args) => text(`Hello, ${String(args["gathered"])}`),
};

/** A client without the extension gets these refused instead of run at once. */
const needTasks = new Set(["failing_job", "test_tool_with_task"]);

const never = (): Result => {
  throw new Error("This tool runs only as a task");
};
const listed = (name: string, description: string, inputSchema: Record<string, unknown> = none, run: Tool["run"] = never): Tool => ({ name, description, inputSchema, run });

export const taskTools: readonly Tool[] = [
  listed("greet", "Greets at once", { type: "object", properties: { name: { type: "string" } }, required: ["name"] }, (args) => text(`Hello, ${String(args["name"])}!`)),
  listed("slow_compute", "Computes for some tenths of seconds", { type: "object", properties: { seconds: { type: "number" }, label: { type: "string" } } }, (args, { signal }) =>
    compute(args, { signal, input: () => Promise.resolve({}) }),
  ),
  listed("failing_job", "Ends with a tool error"),
  listed("protocol_error_job", "Ends with a protocol error"),
  listed("confirm_delete", "Asks before it deletes", { type: "object", properties: { filename: { type: "string" } }, required: ["filename"] }),
  listed("multi_input", "Asks two questions at once"),
  listed("test_tool_with_task", "Asks for a name, then works as a task"),
];

interface Task {
  taskId: string;
  status: "working" | "input_required" | "completed" | "failed" | "cancelled";
  createdAt: string;
  lastUpdatedAt: string;
  result?: Result;
  error?: { code: number; message: string };
  pending: Record<string, object>;
  received: Responses;
  resume?: () => void;
  stop: AbortController;
}

interface Message {
  id?: string | number;
  method?: string;
  params?: { name?: string; taskId?: string; arguments?: Record<string, unknown>; inputResponses?: Responses; _meta?: Record<string, unknown> };
}

export function createTasks() {
  const tasks = new Map<string, Task>();

  function start(name: string, args: Record<string, unknown>): Task {
    const now = new Date().toISOString();
    const task: Task = { taskId: randomUUID(), status: "working", createdAt: now, lastUpdatedAt: now, pending: {}, received: {}, stop: new AbortController() };
    tasks.set(task.taskId, task);
    const settle = (change: Partial<Task>) => {
      if (task.status !== "cancelled") Object.assign(task, change, { lastUpdatedAt: new Date().toISOString() });
    };
    const input = (questions: Record<string, object>) =>
      new Promise<Responses>((resolve) => {
        task.resume = () => {
          settle({ status: "working" });
          resolve(task.received);
        };
        settle({ status: "input_required", pending: questions });
      });
    (works[name] ?? compute)(args, { signal: task.stop.signal, input }).then(
      (result) => settle({ status: "completed", result }),
      (error: Error) => settle({ status: "failed", error: { code: error instanceof ProtocolFailure ? -32603 : -32000, message: error.message } }),
    );
    return task;
  }

  const summary = ({ taskId, status, createdAt, lastUpdatedAt }: Task) => ({ taskId, status, createdAt, lastUpdatedAt, ttlMs: 60_000, pollIntervalMs: 50 });

  function manage(method: string, task: Task, responses: Responses): Result {
    if (method === "tasks/cancel") {
      if (task.status === "working" || task.status === "input_required") Object.assign(task, { status: "cancelled", lastUpdatedAt: new Date().toISOString() });
      task.stop.abort();
      return {};
    }
    if (method === "tasks/update") {
      for (const [key, response] of Object.entries(responses)) {
        if (!(key in task.pending)) continue;
        task.received[key] = response;
        delete task.pending[key];
      }
      if (task.status === "input_required" && Object.keys(task.pending).length === 0) task.resume?.();
      return {};
    }
    return { ...summary(task), ...(task.status === "input_required" ? { inputRequests: task.pending } : {}), ...(task.result ? { result: task.result } : {}), ...(task.error ? { error: task.error } : {}) };
  }

  return {
    /** @returns undefined for whatever is not about tasks. */
    answer(body: unknown, headers: Headers): Response | undefined {
      const { id, method = "", params = {} } = body as Message;
      const isTask = method === "tasks/get" || method === "tasks/update" || method === "tasks/cancel";
      const work = method === "tools/call" && Object.hasOwn(works, params.name ?? "") ? params.name : undefined;
      if (id === undefined || (!isTask && work === undefined)) return undefined;
      const reply = (result: Result) => Response.json({ jsonrpc: "2.0", id, result: { resultType: "complete", ...result } });
      const refuse = (status: number, code: number, message: string, data?: unknown) => Response.json({ jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } }, { status });

      const mirrored = decode(headers.get("mcp-name"));
      if (headers.get("mcp-protocol-version") === null || headers.get("mcp-method") !== method || mirrored !== (isTask ? params.taskId : params.name)) return refuse(400, -32020, "A header does not match the body");
      const capabilities = params._meta?.["io.modelcontextprotocol/clientCapabilities"] as { extensions?: Record<string, unknown> } | undefined;
      const declared = capabilities?.extensions?.[extension] !== undefined;
      if (!declared && (isTask || needTasks.has(work ?? ""))) return refuse(400, -32021, "The tasks extension is needed", { requiredCapabilities: { extensions: { [extension]: {} } } });
      if (work !== undefined) {
        if (!declared) return undefined;
        if (work !== "test_tool_with_task") return reply({ resultType: "task", ...summary(start(work, params.arguments ?? {})) });
        const gathered = params.inputResponses?.["user_name"]?.content?.["name"];
        if (typeof gathered !== "string") return reply({ resultType: "input_required", inputRequests: { user_name: ask("What is your name?") } });
        return reply({ resultType: "task", ...summary(start(work, { gathered })) });
      }
      const task = tasks.get(params.taskId ?? "");
      return task ? reply(manage(method, task, params.inputResponses ?? {})) : refuse(200, -32602, "No such task");
    },
    close() {
      for (const task of tasks.values()) task.stop.abort();
    },
  };
}

/** SEP-2243: a value that no header may hold stands in Base64 between the sentinels. */
function decode(value: string | null): string | undefined {
  if (!value?.startsWith("=?base64?") || !value.endsWith("?=")) return value ?? undefined;
  return Buffer.from(value.slice(9, -2), "base64").toString();
}
