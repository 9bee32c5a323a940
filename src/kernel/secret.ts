/** A value that must never be printed: every way of turning it into text yields "[redacted]" (ASVS 5.0 V16.2.5). */
import { inspect } from "node:util";

const redacted = "[redacted]";

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The one deliberate way to the value. Name it in review when you see it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [Symbol.toPrimitive](): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
