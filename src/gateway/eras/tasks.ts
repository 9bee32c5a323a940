/**
 * Tasks do not cross eras: the experiment of 2025-11-25 (a capability, `params.task`, `tasks/result`) and the extension of 2026-07-28
 * (`resultType: "task"`, `tasks/update`) are different protocols. Within an era they are carried; across, nobody is promised them.
 */
import type { Era } from "../exchange.ts";
import { errorCodes, isObject, WireError, type Members, type Message } from "../wire/message.ts";

const extension = "io.modelcontextprotocol/tasks";
const methods: Record<Era, ReadonlySet<string>> = {
  legacy: new Set(["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"]),
  modern: new Set(["tasks/get", "tasks/update", "tasks/cancel"]),
};

export function isTaskMethod(method: string): boolean {
  return method.startsWith("tasks/");
}

/** What a client or a server declares, less either era's tasks. */
export function withoutTasks(capabilities: Members): Members {
  const { tasks: _tasks, ...rest } = capabilities;
  const extensions = rest["extensions"];
  if (!isObject(extensions) || !Object.hasOwn(extensions, extension)) return rest;
  const { [extension]: _extension, ...others } = extensions;
  return { ...rest, extensions: others };
}

/** @throws WireError for a task method that the other side cannot know. */
export function requireSameEra(message: Message, client: Era, upstream: Era | undefined): void {
  const { method = "" } = message;
  if (!isTaskMethod(method)) return;
  if (upstream === client && methods[client].has(method)) return;
  throw new WireError(404, errorCodes.methodNotFound, upstream === client ? "Method not found" : "Tasks do not cross between 2026-07-28 and earlier revisions", message.id);
}
