import { type ApiKey, isUndelivered } from '../domain/api-key.js';
import { PENDING, PENDING_LABEL } from '../domain/labels.js';
import type { CompleteInput } from './minting.js';

/** A word for one run, in the mark of a key while that run hands it out, so that other runs leave the key to it. */
export interface Claim {
  readonly word: string;
  /** True when the run of another word may still be going on. */
  isLive(word: string): boolean;
}

/** How keys are made that `deliver` hands out. */
export interface ToDeliver {
  /** Mark the new keys until `deliver` has handed them out: a run that is killed meanwhile leaves keys that give way. Default: false. */
  readonly toDeliver?: boolean | undefined;
}

/** The same with the mark. It is beyond the number of labels that people may give, and in the order in which labels are stored. */
export function marked<T extends CompleteInput>(input: T, claim: Claim | undefined): T {
  const mark = claim ? `${PENDING}:${claim.word}` : PENDING;
  const labels = Object.entries({ ...input.labels, [PENDING_LABEL]: mark });
  return { ...input, labels: Object.fromEntries(labels.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** True for a key that was never handed out, and that no other run is handing out right now. */
export function isAbandoned(key: ApiKey, claim: Claim | undefined): boolean {
  if (!isUndelivered(key)) return false;
  const word = key.labels[PENDING_LABEL]?.slice(PENDING.length + 1) ?? '';
  return key.status === 'inactive' || word === '' || word === claim?.word || claim?.isLive(word) !== true;
}
