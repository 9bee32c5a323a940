/**
 * The linear model: a logistic regression over hashed features, its weights kept as one signed byte each (see train.ts).
 */
import { tableSize, type Features } from "./features.ts";

export interface LinearModel {
  readonly version: string;
  readonly bias: number;
  readonly weights: Float32Array;
  /** Probability from which an item is held; and from which, with a strong cue, it is blocked. */
  readonly hold: number;
  readonly block: number;
}

export interface StoredModel {
  readonly version: string;
  readonly bias: number;
  readonly scale: number;
  readonly hold: number;
  readonly block: number;
  /** Base64 of `tableSize` signed bytes; weight = byte × scale. */
  readonly weights: string;
}

export function loadModel(stored: StoredModel): LinearModel {
  const bytes = Buffer.from(stored.weights, "base64");
  const weights = new Float32Array(tableSize);
  for (let at = 0; at < Math.min(bytes.length, tableSize); at++) weights[at] = bytes.readInt8(at) * stored.scale;
  return { version: stored.version, bias: stored.bias, weights, hold: stored.hold, block: stored.block };
}

export function storeModel(model: LinearModel): StoredModel {
  let largest = 0;
  for (const weight of model.weights) largest = Math.max(largest, Math.abs(weight));
  const scale = largest / 127 || 1;
  const bytes = Buffer.alloc(tableSize);
  model.weights.forEach((weight, at) => bytes.writeInt8(Math.round(weight / scale), at));
  return { version: model.version, bias: model.bias, scale, hold: model.hold, block: model.block, weights: bytes.toString("base64") };
}

export function margin(model: Pick<LinearModel, "bias" | "weights">, { slots, weights }: Features): number {
  let sum = model.bias;
  for (let at = 0; at < slots.length; at++) sum += (model.weights[slots[at] as number] as number) * (weights[at] as number);
  return sum;
}

export function probability(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
