/** What every part may log: a fixed event name and allow-listed fields, never free text from outside, bodies, tokens or PII (ASVS 5.0 V16.2). */

/** The only fields a log line can carry. User and server appear as ids or chosen names, never as e-mail or user name. */
export interface LogFields {
  requestId?: string | undefined;
  method?: string | undefined;
  /** The route template, never the raw path: paths may carry personal data. */
  route?: string | undefined;
  status?: number | undefined;
  milliseconds?: number | undefined;
  bytes?: number | undefined;
  actorId?: string | undefined;
  subject?: string | undefined;
  server?: string | undefined;
  type?: string | undefined;
  outcome?: string | undefined;
  reason?: string | undefined;
  count?: number | undefined;
  address?: string | undefined;
  port?: number | undefined;
  signal?: string | undefined;
  limit?: string | undefined;
  /** Error class and code, plus stack frames of our own code; never the message, which may quote input. */
  error?: unknown;
}

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** Writes what is buffered. */
  flush(): void;
}
