/**
 * Requests in flight by whoever began them: when that user is disabled, or changed in a way that ends tokens, what is still streaming to
 * them is cut at once, in every process that hears of the change.
 */
import type { ServerResponse } from "node:http";
import type { Snapshot } from "../snapshot/index.ts";

/** @returns a function that watches a response; the function that it returns ends the watch. */
export function cutEndedCallers(snapshot: Pick<Snapshot, "users" | "onReload">): (userId: string, response: ServerResponse) => () => void {
  const running = new Set<{ userId: string; epoch: number | undefined; response: ServerResponse }>();
  snapshot.onReload(() => {
    for (const { userId, epoch, response } of running) {
      const user = snapshot.users.get(userId);
      if (user === undefined || user.disabled || user.epoch !== epoch) response.destroy();
    }
  });
  return (userId, response) => {
    const entry = { userId, epoch: snapshot.users.get(userId)?.epoch, response };
    running.add(entry);
    return () => void running.delete(entry);
  };
}
