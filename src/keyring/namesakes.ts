import { networksText, widens } from '../domain/addresses.js';
import { type ApiKey, isUndelivered } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { NewKey } from '../domain/key-store.js';
import { OWNER_LABEL } from '../domain/labels.js';
import { quoted } from '../domain/text.js';
import { type Claim, isAbandoned } from './claim.js';

// What becomes of a key whose name is asked for again.

export function sameScopes(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((scope) => b.includes(scope));
}

/** Throws unless a key that is to be kept is what was asked for: a script that wanted a test key must not go on with a live one. */
export function assertAlike(existing: ApiKey, wanted: Pick<NewKey, 'mode' | 'scopes' | 'allowFrom'>): void {
  const differs = [
    existing.mode === wanted.mode ? '' : `its mode is ${existing.mode}`,
    sameScopes(existing.scopes, wanted.scopes) ? '' : `its scopes are ${existing.scopes.join(', ')}`,
    widens(wanted.allowFrom ?? [], existing.allowFrom) ? `it works from ${networksText(existing.allowFrom)}` : '',
  ].filter(Boolean);
  if (differs.length > 0)
    throw new KeysError(
      'name_taken',
      `a key named ${quoted(existing.name)} exists (${existing.id}) and differs: ${differs.join('; ')}`,
      'choose another name, or replace it: --if-exists replace',
    );
}

/** The error for a name that a key already has. */
export function nameTaken(existing: ApiKey): KeysError {
  if (isUndelivered(existing) && existing.labels[OWNER_LABEL] === undefined)
    return new KeysError(
      'name_taken',
      `a key named ${quoted(existing.name)} exists (${existing.id}), and another run is delivering it right now`,
      'wait until that run has ended, and run the command again',
    );
  return new KeysError(
    'name_taken',
    `a key named ${quoted(existing.name)} exists (${existing.id})`,
    `choose another name, or see it: unlockos-keys show ${existing.id}`,
  );
}

/** True for a key that the next of its name replaces. What belongs to a manifest is left to `apply`. */
export function givesWay(existing: ApiKey, claim: Claim | undefined): boolean {
  return existing.labels[OWNER_LABEL] === undefined && isAbandoned(existing, claim);
}
