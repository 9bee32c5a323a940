/** JSON of long lists that are sent again and again: written once, as long as the list lives. */
import { isObject } from "./message.ts";

const texts = new WeakMap<readonly unknown[], { text: string | undefined }>();

/** From now on the text of this list is kept; it must never change again. */
export function keepText(list: readonly unknown[]): void {
  texts.set(list, { text: undefined });
}

/** As `JSON.stringify`, for a message whose result may hold such a list. */
export function writeMessage(message: { readonly [member: string]: unknown }): string {
  const { result, ...outer } = message;
  if (!isObject(result)) return JSON.stringify(message);
  for (const [member, value] of Object.entries(result)) {
    const kept = Array.isArray(value) ? texts.get(value) : undefined;
    if (!kept) continue;
    kept.text ??= JSON.stringify(value);
    const { [member]: _list, ...rest } = result;
    const [head, tail] = [JSON.stringify(outer).slice(1, -1), JSON.stringify(rest).slice(1, -1)];
    return `{${head}${head === "" ? "" : ","}"result":{${JSON.stringify(member)}:${kept.text}${tail === "" ? "" : `,${tail}`}}}`;
  }
  return JSON.stringify(message);
}
