/** A list that changes a hundred times a second is announced as changed once a second: the first at once, the last never lost. */
import type { Notification } from "../exchange.ts";

const between = 1000;

/** @returns a notifier that holds back repeated `…/list_changed`; everything else passes. */
export function debounced(notify: (notification: Notification) => void, signal: AbortSignal): (notification: Notification) => void {
  const waiting = new Map<string, { timer: NodeJS.Timeout; again: boolean }>();
  signal.addEventListener("abort", () => waiting.forEach(({ timer }) => clearTimeout(timer)), { once: true });
  const tell = (notification: Notification) => {
    const { method } = notification;
    notify(notification);
    const timer = setTimeout(() => {
      const entry = waiting.get(method);
      waiting.delete(method);
      if (entry?.again && !signal.aborted) tell(notification);
    }, between);
    timer.unref();
    waiting.set(method, { timer, again: false });
  };
  return (notification) => {
    if (signal.aborted) return;
    if (!notification.method.endsWith("/list_changed")) return notify(notification);
    const entry = waiting.get(notification.method);
    if (entry) entry.again = true;
    else tell(notification);
  };
}
