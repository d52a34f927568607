import type { ApiKey } from '../domain/api-key.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { maskKey } from '../domain/key-string.js';
import { quoted } from '../domain/text.js';
import type { Done, Handout } from '../manifest/apply.js';
import { keyOf, makesKey, modeOf, nameOf, type Plan, type Step } from '../manifest/plan.js';
import { KeyDirectory } from './key-dir.js';
import { KeyPipe } from './key-pipe.js';
import type { ManifestFlags } from './manifest-file.js';
import { summary } from './output/plan-view.js';
import type { Session } from './session.js';

export interface ApplyFlags extends ManifestFlags {
  readonly keyDir?: string;
  readonly pipe?: boolean;
  readonly overlap?: string;
  readonly confirm?: string[];
}

/** Throws `guarded` before anything is done, where only test keys may be touched. */
export function refuseLive(session: Session, { steps }: Plan): void {
  if (session.settings.profile?.value.testOnly !== true) return;
  const live = steps.find((step) => modeOf(step) === 'live');
  if (live)
    throw new KeysError(
      'guarded',
      `${live.action} ${quoted(nameOf(live))}: it is live, and this profile is for test keys only`,
      'nothing was changed; use another profile: unlockos-keys profile list',
    );
}

/** Where new key strings go. Throws before anything is made when they would go nowhere. */
export function handoutFor(
  session: Session,
  { keyDir, pipe }: ApplyFlags,
  words: readonly string[],
  { steps }: Plan,
): Handout {
  const making = steps.filter(makesKey);
  if (pipe) return new KeyPipe(session, words);
  if (keyDir !== undefined) {
    const directory = new KeyDirectory(session, keyDir);
    if (making.length > 0) directory.check(making);
    return directory;
  }
  if (making.length > 0)
    throw new KeysError(
      'missing_input',
      `new key strings have nowhere to go: ${making.map((step) => quoted(nameOf(step))).join(', ')}`,
      'pass --key-dir DIR, or --pipe -- CMD; look first: --dry-run; nothing was changed',
    );
  return { prepare: () => Promise.reject(new KeysError('internal', 'a plan without keys made one')) };
}

/** Throws `usage` for flags that contradict each other. */
export function refuseFlags({ keyDir, pipe }: ApplyFlags, words: readonly string[]): void {
  if (pipe && keyDir !== undefined)
    throw new KeysError('usage', '--key-dir and --pipe contradict each other', 'pass one of them');
  if (!pipe && words.length > 0)
    throw new KeysError(
      'usage',
      `apply takes no argument ${quoted(words[0] ?? '')}`,
      'name the manifest with -f; a program goes with --pipe -- CMD',
    );
}

/** Asks once for everything, and for each live key that is deleted by its name; in a protected profile for each key that stops working. */
export async function confirmPlan(session: Session, flags: ApplyFlags, { steps }: Plan): Promise<void> {
  const command = `unlockos-keys apply -f ${flags.file === '-' ? '-' : quoted(flags.file ?? '')} --yes`;
  const keys = (action: 'disable' | 'rotate' | 'replace' | 'delete') =>
    steps.flatMap((step) => (step.action === action && keyOf(step) ? [keyOf(step) as ApiKey] : []));
  const isProtected = session.settings.profile?.value.protected === true;
  if (isProtected) {
    try {
      for (const verb of ['disable', 'rotate', 'replace', 'delete'] as const)
        await session.confirmProtected(keys(verb), verb, flags.confirm);
    } catch (error) {
      if (!isKeysError(error, 'confirmation_required') || session.interactive) throw error;
      throw new KeysError(error.code, error.message, 'scripts pass it: --confirm NAME, one for each such key');
    }
  }
  const gone = keys('delete');
  const names = gone.length === 0 ? '' : `; for good: ${gone.map(({ name }) => quoted(name)).join(', ')}`;
  const scopes = steps.flatMap((step) => (step.action === 'retire-scope' ? [step.scope] : []));
  const retired = scopes.length === 0 ? '' : `; no key will ever take ${scopes.join(', ')} again`;
  await session.confirm(`This will ${summary(steps)}${names}${retired}`, { command });
  if (isProtected) return;
  for (const key of gone.filter(({ mode }) => mode === 'live'))
    await session.confirm(`This deletes LIVE key ${quoted(key.name)} (${maskKey(key.mode, key.id)}) for good`, {
      name: key.name,
      command,
    });
}

const PAST: Readonly<Record<Step['action'], string>> = {
  'add-scope': 'Added scope',
  edit: 'Changed',
  enable: 'Enabled',
  create: 'Made',
  replace: 'Made anew',
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
