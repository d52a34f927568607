import { actorName } from '../../domain/actor.js';
import type { Context } from '../context.js';
import { fromEnv, type GlobalFlags, type Sourced } from './global-flags.js';

const OWN = 'UNLOCKOS_KEYS_ACTOR';
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
  if (found !== null) actorName(found.value, found.source);
  return found;
}

function claimedActor(ctx: Context, flags: GlobalFlags): Sourced<string> | null {
  if (flags.actor !== undefined) return { value: flags.actor, source: '--actor' };
  // ctx.ci last: finding out whether this is a CI run loads a package
  const source = [OWN, ...CI_ACTORS].find((name) => fromEnv(ctx, name) && (name === OWN || ctx.ci !== null));
  return source === undefined ? null : { value: fromEnv(ctx, source) ?? '', source };
}
