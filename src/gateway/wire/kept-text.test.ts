import fc from "fast-check";
import { expect, it } from "vitest";
import { keepText, writeMessage } from "./kept-text.ts";

it("writes the same value as without, whatever surrounds the list", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()), fc.boolean(), (outer, rest, list, isKept) => {
      if (isKept) keepText(list);
      const message = { ...outer, result: { ...rest, tools: list } };
      for (let turn = 0; turn < 2; turn++) expect(JSON.parse(writeMessage(message))).toEqual(JSON.parse(JSON.stringify(message)));
    }),
  );
});
