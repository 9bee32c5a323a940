/**
 * Fits the linear model: logistic loss on the most suspicious window of each item (multiple-instance learning), AdaGrad, L2. A planted text
 * tells where to look in a poisoned item; everywhere else in it and in honest items nothing may be found.
 */
import { apply, candidates } from "../../src/trust/scanner/evidence.ts";
import { damping, featureCount, featureScale, type Window } from "../../src/trust/scanner/model/features.ts";
import { view, type View } from "../../src/trust/scanner/view.ts";
import { defaultLimits } from "../../src/trust/scanner/limits.ts";
import { generator, type Sample } from "./dataset.ts";

export interface Prepared {
  readonly sample: Sample;
  /** The candidate windows, as features. */
  readonly windows: readonly Int32Array[];
  /** Those that touch the planted text; all of them when it is unknown. */
  readonly guilty: readonly number[];
  /** What the rules said: 0 nothing, 1 hold, 2 block. */
  readonly ruled: 0 | 1 | 2;
}

export function prepare(sample: Sample): Prepared {
  const seen: View = view("tool", sample.tool, null, defaultLimits);
  const rules = apply(seen);
  const found = candidates(seen, rules);
  const guilty: number[] = [];
  found.forEach((window, at) => {
    if (sample.planted === undefined || touches(window, sample.planted)) guilty.push(at);
  });
  return { sample, windows: found.map((window) => window.features), guilty: guilty.length > 0 ? guilty : found.map((_, at) => at), ruled: rules.some((rule) => rule.effect === "block") ? 2 : rules.some((rule) => rule.effect === "hold") ? 1 : 0 };
}

function touches(window: Window, planted: string): boolean {
  const source = window.reading.leaf.text;
  const at = source.indexOf(planted);
  if (at < 0) return false;
  const from = window.reading.sentences[window.first]?.from ?? 0;
  const to = window.reading.sentences[window.last]?.to ?? 0;
  const [start] = window.reading.span(from, to);
  const [, end] = window.reading.span(from, to);
  return start < at + planted.length && end > at;
}

export interface Model {
  readonly weights: Float64Array;
  bias: number;
}

let scaleTable: Float64Array | undefined;
function scales(): Float64Array {
  scaleTable ??= Float64Array.from({ length: featureCount }, (_, feature) => featureScale(feature));
  return scaleTable;
}

export function score(model: Model, features: Int32Array): number {
  const scale = scales();
  let sum = model.bias;
  for (let at = 0; at < features.length; at++) {
    const feature = features[at] as number;
    sum += (model.weights[feature] as number) * (scale[feature] as number);
  }
  return model.bias + (sum - model.bias) * damping(features.length);
}

export function best(model: Model, prepared: Prepared, among?: readonly number[]): { score: number; at: number } {
  let top = { score: model.bias, at: -1 };
  const count = among?.length ?? prepared.windows.length;
  for (let index = 0; index < count; index++) {
    const at = among === undefined ? index : (among[index] as number);
    const value = score(model, prepared.windows[at] as Int32Array);
    if (top.at < 0 || value > top.score) top = { score: value, at };
  }
  return top;
}

export interface FitOptions {
  readonly epochs: number;
  readonly rate: number;
  readonly l2: number;
  readonly seed: number;
  /** Weight of an honest item against a malicious one. */
  readonly honest: number;
  /** Share of a window's features seen in a step; the rest is dropped, so that no weight relies on the company of others. */
  readonly keep: number;
}
export const defaultFit: FitOptions = { epochs: 12, rate: 0.4, l2: 2e-4, seed: 11, honest: 1, keep: 0.35 };

export function fit(items: readonly Prepared[], options: FitOptions = defaultFit): Model {
  const random = generator(options.seed);
  const scale = scales();
  // A feature seen in fewer than three groups is an accident.
  const support = supported(items);
  const model: Model = { weights: new Float64Array(featureCount), bias: -2 };
  const squares = new Float64Array(featureCount).fill(1e-3);
  let biasSquare = 1e-3;
  const order = items.map((_, at) => at);
  const positives = items.filter((item) => item.sample.malicious).length;
  const balance = Math.min(4, Math.max(1, (items.length - positives) / Math.max(1, positives) / 3));
  const step = (all: Int32Array, malicious: boolean, weight: number): void => {
    const features = all.filter(() => random() < options.keep);
    const value = score(model, features);
    const probability = 1 / (1 + Math.exp(-value));
    const error = (probability - (malicious ? 1 : 0)) * weight;
    if (Math.abs(error) < 1e-4) return;
    for (let at = 0; at < features.length; at++) {
      const feature = features[at] as number;
      if (support[feature] === 0) continue;
      const gradient = error * damping(features.length) * (scale[feature] as number) + options.l2 * (model.weights[feature] as number);
      squares[feature] = (squares[feature] as number) + gradient * gradient;
      model.weights[feature] = (model.weights[feature] as number) - (options.rate * gradient) / Math.sqrt(squares[feature]);
    }
    biasSquare += error * error;
    model.bias -= (options.rate * error) / Math.sqrt(biasSquare);
  };
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    for (let at = order.length - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1));
      [order[at], order[other]] = [order[other] as number, order[at] as number];
    }
    for (const at of order) {
      const item = items[at] as Prepared;
      if (item.windows.length === 0) continue;
      if (item.sample.malicious) {
        const top = epoch === 0 ? (item.guilty[Math.floor(random() * item.guilty.length)] as number) : best(model, item, item.guilty).at;
        step(item.windows[top] as Int32Array, true, balance);
        // One window of the host that has nothing to do with it.
        if (item.sample.planted !== undefined && item.guilty.length < item.windows.length) {
          const bystander = Math.floor(random() * item.windows.length);
          if (!item.guilty.includes(bystander)) step(item.windows[bystander] as Int32Array, false, 0.5);
        }
      } else {
        const weight = item.sample.source === "own" ? 0.7 * options.honest : options.honest;
        step(item.windows[best(model, item).at] as Int32Array, false, weight);
        if (item.windows.length > 1) step(item.windows[Math.floor(random() * item.windows.length)] as Int32Array, false, weight * 0.5);
      }
    }
  }
  // All features are present from now on.
  for (let at = 0; at < featureCount; at++) model.weights[at] = (model.weights[at] as number) * options.keep;
  return model;
}

function supported(items: readonly Prepared[]): Uint8Array {
  const groups = new Int32Array(featureCount);
  const last = new Int32Array(featureCount).fill(-1);
  const numbers = new Map<string, number>();
  const sorted = [...items].sort((a, b) => (a.sample.group < b.sample.group ? -1 : a.sample.group > b.sample.group ? 1 : 0));
  for (const item of sorted) {
    const group = numbers.get(item.sample.group) ?? numbers.size;
    numbers.set(item.sample.group, group);
    const among = item.sample.malicious ? item.guilty : item.windows.map((_, at) => at);
    for (const at of among) for (const feature of item.windows[at] as Int32Array) {
      if (last[feature] !== group) {
        last[feature] = group;
        groups[feature] = (groups[feature] as number) + 1;
      }
    }
  }
  return Uint8Array.from(groups, (count) => (count >= 3 ? 1 : 0));
}
