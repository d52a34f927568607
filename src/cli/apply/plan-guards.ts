import { KeysError } from '../../domain/errors.js';
import { maskKey } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import type { Done } from '../../manifest/apply.js';
import type { Plan } from '../../manifest/plan.js';
import { keyOf, modeOf, nameOf, type Step } from '../../manifest/steps.js';
import { confirm, confirmEachProtected } from '../asking/confirm.js';
import { summary } from '../output/plan-view.js';
import type { Session } from '../session.js';
import type { ApplySinkFlags } from './destinations.js';
import type { ManifestFlags } from './manifest-file.js';

export interface ApplyFlags extends ManifestFlags, ApplySinkFlags {
  readonly overlap?: string;
  readonly confirm?: string[];
}

/** Throws `guarded` before anything is done, when a test-only profile would change a live key. */
export function refuseLive(session: Session, { steps }: Plan): void {
  if (session.settings.profile?.value.testOnly !== true) return;
  const live = steps.find((step) => modeOf(step) === 'live');
  if (live)
    throw new KeysError(
      'guarded',
      `${live.action} ${quoted(nameOf(live))}: the key is live, and this profile is for test keys only`,
      'nothing was changed; use another profile: unlockos-keys profile list',
    );
}

/** Throws `usage` for flags that do not go together. */
export function refuseFlags({ keyDir, pipe }: ApplyFlags, args: readonly string[]): void {
  if (pipe && keyDir !== undefined)
    throw new KeysError('usage', '--key-dir and --pipe do not go together', 'pass one of them');
  if (args.length > 0)
    throw new KeysError(
      'usage',
      `apply takes no argument ${quoted(args[0] ?? '')}`,
      'name the manifest with -f; to run a program for each key, pass --pipe -- PROGRAM',
    );
}

/** The steps after which a key that works today no longer does. */
const STOPS: readonly Step['action'][] = ['disable', 'rotate', 'replace', 'delete'];

/**
 * Asks once for the whole plan, and by name for each live key that is deleted; in a protected profile, by name for each key that stops
 * working.
 */
export async function confirmPlan(session: Session, flags: ApplyFlags, { steps }: Plan): Promise<void> {
  const isProtected = session.settings.profile?.value.protected === true;
  await confirmEachProtected(
    session,
    steps.flatMap((step) => {
      const key = STOPS.includes(step.action) ? keyOf(step) : null;
      return key ? [{ verb: step.action, key }] : [];
    }),
    flags.confirm,
  );
  const gone = steps.flatMap((step) => (step.action === 'delete' ? [keyOf(step)] : [])).filter((key) => key !== null);
  const names = gone.length === 0 ? '' : `; deleted: ${gone.map(({ name }) => quoted(name)).join(', ')}`;
  const scopes = steps.flatMap((step) => (step.action === 'retire-scope' ? [step.scope] : []));
  const retired = scopes.length === 0 ? '' : `; no new key can hold ${scopes.join(', ')} again`;
  await confirm(session, { action: `${summary(steps)}${names}${retired}` });
  if (isProtected) return;
  for (const key of gone.filter(({ mode }) => mode === 'live'))
    await confirm(session, {
      action: `delete LIVE key ${quoted(key.name)} (${maskKey(key.mode, key.id)})`,
      typed: key.name,
    });
}

const PAST: Readonly<Record<Step['action'], string>> = {
  'add-scope': 'Added scope',
  edit: 'Changed',
  enable: 'Enabled',
  create: 'Created',
  replace: 'Created again',
  rotate: 'Rotated',
  disable: 'Disabled',
  delete: 'Deleted',
  'retire-scope': 'Retired scope',
};

export function said({ step, key, retired }: Done): string {
  if (step.action === 'add-scope' || step.action === 'retire-scope') return `${PAST[step.action]} ${step.scope}`;
  const old = retired ? `; ${retired.id} works until ${retired.expiresAt?.toISOString()}` : '';
  return `${PAST[step.action]} ${key?.name} (${key?.id})${old}`;
}
