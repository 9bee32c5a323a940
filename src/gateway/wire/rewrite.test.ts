import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEventRewriter, createJsonRewriter, type Rewriter } from "./rewrite.ts";

const wanted = { result: { requestState: "state", tasks: { "[]": { taskId: "task" } }, _meta: { related: { taskId: "task" } } }, params: { taskId: "task" } };
const mark = (what: string, text: string) => `${what}(${text})`;

/** Feeds the text in pieces that end at these places. */
function run(rewriter: Rewriter, text: string, cuts: readonly number[] = []): string {
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const out = places.slice(1).map((end, index) => rewriter.push(Buffer.from(bytes.subarray(places[index], end))));
  return Buffer.concat([...out, rewriter.end()]).toString();
}
const json = (text: string, cuts?: readonly number[]) => run(createJsonRewriter(wanted, mark), text, cuts);
const events = (text: string, cuts?: readonly number[]) => run(createEventRewriter(wanted, mark, (id) => `<${id}>`), text, cuts);

const message = '{"jsonrpc":"2.0", "id":9007199254740993,\n "result":{"content":[{"requestState":"theirs","text":"\\"requestState\\":\\"no\\" \\\\"}],"tasks":[{"taskId":"t1"},{"taskId":"t\\u00e92","x":{"taskId":"deep"}}],"requestState" : "s\\"1","n":1.10,"_meta":{"related":{"taskId":"r"}}},"taskId":"top"}';
const rewritten = message.replace('"s\\"1"', '"state(s\\"1)"').replace('"t1"', '"task(t1)"').replace('"t\\u00e92"', '"task(té2)"').replace('"r"', '"task(r)"');

describe("the rewriter of JSON", () => {
  it("replaces just the named members and leaves every other byte", () => {
    expect(json(message)).toBe(rewritten);
  });

  it("does the same however the bytes arrive", () => {
    fc.assert(fc.property(fc.array(fc.nat(1000), { maxLength: 12 }), (cuts) => {
      expect(json(message, cuts)).toBe(rewritten);
    }), { numRuns: 1000 });
  });

  it("leaves any text in which nothing is named", () => {
    const value = fc.jsonValue({ maxDepth: 5 });
    fc.assert(
      fc.property(value, fc.array(fc.nat(2000), { maxLength: 5 }), (any, cuts) => {
        const text = JSON.stringify({ result: { content: any }, other: any });
        expect(json(text, cuts)).toBe(text);
      }),
    );
  });

  it("replaces names that are written with escapes, and no value that is not text", () => {
    expect(json('{"result":{"request\\u0053tate":"x"},"params":{"taskId":7}}')).toBe('{"result":{"request\\u0053tate":"state(x)"},"params":{"taskId":7}}');
  });

  it("loses nothing of a text that breaks off", () => {
    fc.assert(fc.property(fc.nat(message.length), (end) => {
      expect(json(message.slice(0, end)).length).toBeGreaterThanOrEqual(message.slice(0, end).length);
    }));
    expect(json('{"result":{"requestState":"never clo')).toBe('{"result":{"requestState":"never clo');
  });

  it("passes a value beyond its size as it is", () => {
    const long = `{"result":{"requestState":"${"x".repeat(1_200_000)}","tasks":[{"taskId":"t"}]}}`;
    expect(json(long, [500_000, 900_000])).toBe(long.replace('"t"', '"task(t)"'));
  });
});

describe("the rewriter of events", () => {
  const stream = `: hello\r\nid: e1\r\ndata: ${message.replace("\n", "")}\r\n\r\nevent: message\nid:e2\ndata: {"params":\ndata: {"taskId":"a"}}\n\nid\nretry: 5\ndata:\n\nid: \ndata: {"params":{"taskId":"b"}}\n\n`;
  const expected = stream.replace(message.replace("\n", ""), rewritten.replace("\n", "")).replace("id: e1", "id: <e1>").replace("id:e2", "id: <e2>").replace('"a"', '"task(a)"').replace('"b"', '"task(b)"');

  it("replaces members and ids and leaves every other byte", () => {
    expect(events(stream)).toBe(expected);
  });

  it("does the same however the bytes arrive", () => {
    fc.assert(fc.property(fc.array(fc.nat(2000), { maxLength: 20 }), (cuts) => {
      expect(events(stream, cuts)).toBe(expected);
    }), { numRuns: 1000 });
  });
});
