import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { readName } from '../../domain/key-name.js';
import type { Mode } from '../../domain/key-string.js';
import type { CatalogueScope } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { CreateInput, CreatePlan } from '../../keyring/creation.js';
import type { Keyring } from '../../keyring/keyring.js';
import { listed } from '../output/listed.js';
import type { Session } from '../session.js';
import { confirm, confirmProtected } from './confirm.js';
import { confirmScopes } from './scopes.js';

/** What prompts can still complete. */
export interface NewKeyDraft {
  names: string[];
  description: string | undefined;
  mode: Mode | undefined;
  scopes: readonly string[];
}

/** Prompts for what is missing; true when it prompted. It prompts for a description only together with something else. */
export async function askForNewKey(
  session: Session,
  keyring: Keyring,
  draft: NewKeyDraft,
  { ifExists, like }: { ifExists: string; like: ApiKey | null },
): Promise<boolean> {
  if (draft.names.length > 0 && (like || (draft.mode !== undefined && draft.scopes.length > 0))) return false;
  const prompts = await session.prompts();
  if (draft.names.length === 0) {
    draft.names.push(readName(await prompts.text('Name', { check: (text) => checkName(keyring, text) })));
  } else if (ifExists === 'fail') {
    for (const name of draft.names) await keyring.assertNameFree(name);
  }
  if (like) return true;
  draft.description ??= await prompts.text('Description (optional)');
  draft.mode ??= await prompts.choose<Mode>('Mode', [
    { name: 'Test', value: 'test', description: 'works in test environments only; never touches production data' },
    { name: 'Live', value: 'live', description: 'works in production' },
  ]);
  if (draft.scopes.length === 0)
    draft.scopes = await prompts.pick('Scopes (they never change)', groupsOf(await keyring.scopes()));
  return true;
}

async function checkName(keyring: Keyring, text: string): Promise<string | true> {
  try {
    await keyring.assertNameFree(readName(text));
    return true;
  } catch (error) {
    if (error instanceof KeysError) return error.message;
    throw error;
  }
}

/** The scopes that a new key can have, by category. */
export function groupsOf(catalogue: readonly CatalogueScope[]) {
  const open = catalogue.filter((entry) => !entry.retired);
  return [...new Set(open.map((entry) => entry.category))].map((category) => {
    const members = open.filter((entry) => entry.category === category);
    return {
      label: members[0]?.categoryLabel ?? category,
      choices: members.map(({ scope }) => ({ name: scope, value: scope })),
    };
  });
}

/**
 * Asks before keys are created. `asked`: a person has answered prompts, so one yes follows; else only what could surprise is asked about.
 * Throws `confirmation_required`.
 */
export async function confirmNewKeys(
  session: Session,
  { inputs, replaced }: CreatePlan,
  { asked, confirmed }: { asked: boolean; confirmed: readonly string[] | undefined },
): Promise<void> {
  if (asked && !(await (await session.prompts()).yesNo('Create this key?', true)))
    throw new KeysError('confirmation_required', 'not confirmed; no key was created');
  if (!asked && inputs[0]) await confirmScopes(session, inputs[0], 'Create this key?');
  if (!asked) await confirmSeveralLive(session, inputs);
  await confirmReplacing(session, replaced, confirmed);
}

/** A stray word on the command line would be one more key, so a person who creates several live keys at once is asked. */
async function confirmSeveralLive(session: Session, inputs: readonly CreateInput[]): Promise<void> {
  if (!session.interactive || inputs.length < 2 || inputs[0]?.mode !== 'live') return;
  await confirm(session, { action: `create ${inputs.length} LIVE keys: ${listed(inputs.map(({ name }) => name))}` });
}

/** Deleting a live key needs a yes or `--yes`; in a protected profile, every key needs its name. */
async function confirmReplacing(
  session: Session,
  replaced: readonly ApiKey[],
  confirmed: readonly string[] | undefined,
): Promise<void> {
  await confirmProtected(session, replaced, 'delete', confirmed);
  const live = replaced.filter(({ mode }) => mode === 'live');
  if (live.length === 0 || session.settings.profile?.value.protected) return;
  const which = live.map(({ name, id }) => `${quoted(name)} (${id})`).join(', ');
  await confirm(session, {
    action: `delete LIVE key${live.length === 1 ? '' : 's'} ${which} for ${live.length === 1 ? 'a new one' : 'new ones'}`,
    advice: 'to let the old key work for a while: --if-exists rotate',
  });
}
