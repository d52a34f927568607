import { KeysError } from '../../domain/errors.js';
import { redactKeyStrings } from '../../domain/key-string.js';
import { hasUnsafeText, quoted } from '../../domain/text.js';
import type { Context } from '../context.js';
import { fromEnv, type GlobalFlags, type Sourced } from './global-flags.js';

/** Variables in which CI systems name who started a run. The name is a claim, recorded beside the OS user, never in place of it. */
const CI_ACTORS = [
  'GITHUB_ACTOR',
  'GITLAB_USER_LOGIN',
  'BUILDKITE_BUILD_CREATOR',
  'CIRCLE_USERNAME',
  'BITBUCKET_STEP_TRIGGERER_UUID',
  'BUILD_REQUESTEDFOR',
];

/** The person that a change is made for, if one was named. Throws `usage` for a name that cannot be recorded. */
export function actorFlag(ctx: Context, flags: GlobalFlags): Sourced<string> | null {
  const found = claimedActor(ctx, flags);
  if (found !== null) assertActor(found.value);
  return found;
}

function claimedActor(ctx: Context, flags: GlobalFlags): Sourced<string> | null {
  if (flags.actor !== undefined) return { value: flags.actor, source: '--actor' };
  const names = ['UNLOCKOS_KEYS_ACTOR', ...(ctx.ci === null ? [] : CI_ACTORS)];
  const source = names.find((name) => fromEnv(ctx, name));
  return source === undefined ? null : { value: fromEnv(ctx, source) ?? '', source };
}

function assertActor(actor: string): void {
  if (redactKeyStrings(actor) !== actor)
    throw new KeysError('usage', '--actor contains a key string', 'the audit log cannot be erased: pass a name');
  if (actor.trim() === '' || actor.length > 128 || hasUnsafeText(actor)) {
    throw new KeysError(
      'usage',
      `--actor ${quoted(actor)} is empty, too long, or contains control characters`,
      'up to 128 visible characters, e.g. an e-mail address',
    );
  }
}
