/**
 * Name resolution for outbound connections: the system's resolver (hosts file, search domains), with a deadline, one question at a time per
 * name, and a short memory of failures. A name that does not resolve fails closed and costs others nothing.
 */
import { lookup as ask } from "node:dns/promises";

export interface Resolved {
  address: string;
  family: 4 | 6;
}

/** All addresses of a host name. Rejects with a Node.js error whose `code` is ENOTFOUND, ETIMEOUT and the like. */
export type Lookup = (host: string) => Promise<Resolved[]>;

export interface LookupOptions {
  resolver?: Lookup;
  /** Milliseconds for one question. Default 5,000. */
  timeout?: number;
  /** Milliseconds for which a failure is remembered. Default 5,000. */
  memory?: number;
  /** Monotonic milliseconds. */
  now?: () => number;
}

const failuresKept = 1000;

const system: Lookup = async (host) => (await ask(host, { all: true, verbatim: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));

export function systemLookup({ resolver = system, timeout = 5000, memory = 5000, now = () => performance.now() }: LookupOptions = {}): Lookup {
  const asking = new Map<string, Promise<Resolved[]>>();
  const failures = new Map<string, { error: Error; until: number }>();
  const within = async (host: string): Promise<Resolved[]> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error("The name server did not answer in time"), { code: "ETIMEOUT" })), timeout);
    });
    try {
      return await Promise.race([(async () => resolver(host))(), late]);
    } catch (error) {
      if (failures.size >= failuresKept) failures.clear();
      failures.set(host, { error: error as Error, until: now() + memory });
      throw error;
    } finally {
      clearTimeout(timer);
      asking.delete(host);
    }
  };
  return (host) => {
    const failure = failures.get(host);
    if (failure && now() < failure.until) return Promise.reject(failure.error);
    failures.delete(host);
    const running = asking.get(host);
    if (running) return running;
    const question = within(host);
    asking.set(host, question);
    return question;
  };
}
