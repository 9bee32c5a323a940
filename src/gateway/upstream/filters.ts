/** What listeners want to hear (`subscriptions/listen` of 2026-07-28), compared and combined. */
import type { ListenFilter, Notification } from "../exchange.ts";

const flags = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"] as const;
const methods: Readonly<Record<string, (typeof flags)[number]>> = { "notifications/tools/list_changed": "toolsListChanged", "notifications/prompts/list_changed": "promptsListChanged", "notifications/resources/list_changed": "resourcesListChanged" };

/** In one order, so that equal filters are written alike. */
export function union(a: ListenFilter, b: ListenFilter): ListenFilter {
  const uris = [...new Set([...(a.resourceSubscriptions ?? []), ...(b.resourceSubscriptions ?? [])])].sort();
  return { ...Object.fromEntries(flags.filter((flag) => a[flag] || b[flag]).map((flag) => [flag, true])), ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}) };
}

/** The part of what is wanted that is offered. */
export function honoured(wanted: ListenFilter, offered: ListenFilter): ListenFilter {
  const heard = new Set(offered.resourceSubscriptions);
  const uris = (wanted.resourceSubscriptions ?? []).filter((uri) => heard.has(uri));
  return { ...Object.fromEntries(flags.filter((flag) => wanted[flag] && offered[flag]).map((flag) => [flag, true])), ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}) };
}

/** Whether somebody who wants this is to hear of it: nothing is sent that was not asked for; what lies within a followed resource belongs to it. */
export function matches(filter: ListenFilter, { method, params }: Notification): boolean {
  if (method === "notifications/resources/updated") return filter.resourceSubscriptions?.some((uri) => String(params?.["uri"]).startsWith(uri)) === true;
  const flag = Object.hasOwn(methods, method) ? methods[method] : undefined;
  return flag !== undefined && filter[flag] === true;
}
