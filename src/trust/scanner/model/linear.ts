/**
 * A logistic regression over windows: the item's score is that of its most suspicious window. Weights are bytes in base64 beside the
 * version and the thresholds; `bench/scanner/train.ts` makes the file.
 */
import { damping, featureCount, type Window } from "./features.ts";

export interface Weights {
  readonly version: string;
  readonly bias: number;
  /** Multiplies the signed bytes. */
  readonly scale: number;
  readonly bytes: Int8Array;
  /** Log odds from which an item is held or blocked for its score alone. */
  readonly hold: number;
  readonly block: number;
  /** Log odds from which an item in which a rule would hold is blocked. */
  readonly aggravate: number;
  /** Log odds from which a rule's block stands; below it is a hold, below `dismiss` a note. */
  readonly convict: number;
  readonly dismiss: number;
  /** Log odds from which a rule's hold stands; below it is a note. */
  readonly corroborate: number;
}

export interface WeightsFile {
  readonly version: string;
  readonly features: number;
  readonly bias: number;
  readonly scale: number;
  readonly hold: number;
  readonly block: number;
  readonly aggravate: number;
  readonly convict: number;
  readonly dismiss: number;
  readonly corroborate: number;
  readonly weights: string;
}

export function parseWeights(file: WeightsFile): Weights {
  const bytes = new Int8Array(Buffer.from(file.weights, "base64"));
  if (file.features !== featureCount || bytes.length !== featureCount) throw new TypeError("The scanner's weights were trained for other features: run bench/scanner/train.ts");
  return { version: file.version, bias: file.bias, scale: file.scale, hold: file.hold, block: file.block, aggravate: file.aggravate, convict: file.convict, dismiss: file.dismiss, corroborate: file.corroborate, bytes };
}

/** Log odds of one window. */
export function logOdds(weights: Weights, window: Window): number {
  let sum = 0;
  const { features } = window;
  for (let at = 0; at < features.length; at++) sum += weights.bytes[features[at] as number] as number;
  return weights.bias + sum * weights.scale * damping(features.length);
}
