/** An event as a line of syslog (RFC 5424): facility 13 (log audit), the whole entry as the message, what is searched for as structured data. */
import type { StoredEvent } from "./entry.ts";

const facility = 13;
/** RFC 5424 section 6.2.1. */
const severities: Record<string, number> = { critical: 2, warning: 4, notice: 5, info: 6 };

/** Printable US-ASCII without blanks, or the nil value. */
function header(text: string, longest: number): string {
  return text.replaceAll(/[^\u0021-\u007E]/g, "_").slice(0, longest) || "-";
}

/** RFC 5424 section 6.3.3: `"`, `\` and `]` are escaped; control characters have no place in a line. */
function parameter(name: string, value: string | undefined): string {
  if (value === undefined) return "";
  return ` ${name}="${value.toWellFormed().replaceAll(/["\\\]]/g, String.raw`\$&`).replaceAll(/[\u0000-\u001F\u007F]/g, " ")}"`;
}

/** @param host of the deployment. The structured data's id is under 32473, the number that RFC 5612 sets aside. */
export function toSyslog(event: StoredEvent, sequence: number, host: string): string {
  const { severity, at, type, id, outcome, actorId, subject, requestId, detail } = event;
  const data = `[sallyport@32473${parameter("sequence", String(sequence))}${parameter("id", id)}${parameter("type", type)}${parameter("outcome", outcome)}${parameter("actor", actorId)}${parameter("subject", subject)}${parameter("request", requestId)}]`;
  return `<${facility * 8 + (severities[severity] ?? 5)}>1 ${header(at, 40)} ${header(host, 255)} sallyport - ${header(type, 32)} ${data} \uFEFF${JSON.stringify(detail)}`;
}
