/** Handles within messages that a front builds: bound to their holder on the way out, opened on the way in. */
import type { JsonObject } from "../exchange.ts";
import type { HandleKind, Handles, Holder } from "../handles.ts";
import { errorCodes, isObject, metaKeys, WireError, type Members, type RequestId } from "../wire/message.ts";

/** `structuredContent` and the like are the server's own words and stay as they are: only the protocol's members are touched. */
export function bindResult(handles: Handles, holder: Holder, method: string, result: JsonObject): JsonObject {
  const bound = { ...result };
  const bind = (target: Members, member: string, kind: HandleKind) => {
    const raw = target[member];
    if (typeof raw === "string") target[member] = handles.bind(kind, raw, holder);
  };
  bind(bound, "requestState", "request-state");
  if (method !== "tools/call" && method !== "prompts/get" && method !== "resources/read") bind(bound, "nextCursor", "cursor");
  bindTasks(bound, (members) => bind(members, "taskId", "task"));
  return bound;
}

export function bindNotification(handles: Handles, holder: Holder, params: Members): Members {
  const bound = { ...params };
  bindTasks(bound, (members) => {
    if (typeof members["taskId"] === "string") members["taskId"] = handles.bind("task", members["taskId"], holder);
  });
  return bound;
}

/** Calls back with a copy of each object that names a task. */
function bindTasks(members: Members, bind: (members: Members) => void): void {
  bind(members);
  const within = (name: string, value: unknown) => {
    if (!isObject(value)) return;
    const copy = { ...value };
    bind(copy);
    members[name] = copy;
  };
  within("task", members["task"]);
  if (Array.isArray(members["tasks"])) {
    members["tasks"] = members["tasks"].map((task: unknown) => {
      if (!isObject(task)) return task;
      const copy = { ...task };
      bind(copy);
      return copy;
    });
  }
  const meta = members["_meta"];
  const related = isObject(meta) ? meta[metaKeys.relatedTask] : undefined;
  if (!isObject(meta) || !isObject(related)) return;
  const copy = { ...related };
  bind(copy);
  members["_meta"] = { ...meta, [metaKeys.relatedTask]: copy };
}

/** @throws WireError -32602 when one of the handles is not this holder's. */
export function openParams(handles: Handles, holder: Holder, params: Members | undefined, id: RequestId | undefined): Members | undefined {
  if (params === undefined) return undefined;
  const opened = { ...params };
  for (const [member, kind] of [["requestState", "request-state"], ["cursor", "cursor"], ["taskId", "task"]] as const) {
    const bound = opened[member];
    if (typeof bound === "string") opened[member] = openHandle(handles, kind, bound, holder, id);
  }
  const meta = opened["_meta"];
  const related = isObject(meta) ? meta[metaKeys.relatedTask] : undefined;
  if (isObject(meta) && isObject(related) && typeof related["taskId"] === "string") {
    opened["_meta"] = { ...meta, [metaKeys.relatedTask]: { ...related, taskId: openHandle(handles, "task", related["taskId"], holder, id) } };
  }
  return opened;
}

const names: Partial<Record<HandleKind, string>> = { "request-state": "requestState", cursor: "cursor" };

/** @throws WireError -32602 when it is not this holder's. */
export function openHandle(handles: Handles, kind: HandleKind, bound: string, holder: Holder, id: RequestId | undefined): string {
  const raw = handles.open(kind, bound, holder);
  // Whether there are tasks at all is for the server to say: it is asked for one that cannot exist.
  if (raw === undefined && kind === "task") return handles.bind("task", bound, holder);
  if (raw === undefined) throw new WireError(200, errorCodes.invalidParams, `The ${names[kind]} is not known`, id);
  return raw;
}
