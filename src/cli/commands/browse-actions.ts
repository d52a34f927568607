import type { ApiKey } from '../../domain/api-key.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import type { CatalogueScope } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import { confirm, confirmProtected } from '../asking/confirm.js';
import { groupsOf } from '../asking/new-key.js';
import type { KeyAction } from '../context.js';
import { reportOf } from '../exit-code.js';
import { listed } from '../output/listed.js';
import type { Session } from '../session.js';
import { create } from './create.js';
import { confirmDeletion } from './delete.js';
import { editByPrompt } from './edit.js';
import { rotate } from './rotate.js';
import { showKey } from './show.js';

/** What an action did, in lines; the first is short. */
export interface Said {
  readonly lines: readonly string[];
  readonly changed: boolean;
}

const BACK = 'Enter goes back to the list';
const NOTHING: Said = { lines: [], changed: false };

/** Does to keys what a person chose in the table. Throws `cancelled` when the person goes back, and what the keyring throws. */
export async function actOnKeys(session: Session, action: KeyAction, keys: readonly ApiKey[]): Promise<Said> {
  const [key] = keys;
  if (action === 'create') return makeKeys(session, () => create(session, {}, []), 'Created a key');
  if (!key) return NOTHING;
  switch (action) {
    case 'show':
      await showKey(session, key);
      await (await session.prompts()).pause(BACK);
      return NOTHING;
    case 'edit':
      return edit(session, key);
    case 'rotate':
      return rotateKey(session, key);
    case 'disable':
    case 'enable':
      return setStatus(session, action, keys);
    case 'delete':
      return remove(session, keys);
  }
}

/** The key string stays on the screen until the person has it. */
async function makeKeys(session: Session, make: () => Promise<unknown>, said: string): Promise<Said> {
  await make();
  const done = { lines: [said], changed: true };
  await (await session.prompts()).pause(BACK);
  return done;
}

async function edit(session: Session, key: ApiKey): Promise<Said> {
  const edited = await editByPrompt(session, key);
  return edited ? { lines: [`Changed ${quoted(edited.name)} (${edited.id})`], changed: true } : NOTHING;
}

/** Scopes never change, so this is where a person who needs others finds them. */
async function rotateKey(session: Session, key: ApiKey): Promise<Said> {
  const prompts = await session.prompts();
  const change = await prompts.choose<'none' | 'add' | 'drop'>('Scopes of the new key', [
    { name: 'The same', value: 'none', description: key.scopes.join(', ') },
    { name: 'Add some', value: 'add' },
    ...(key.scopes.length > 1 ? [{ name: 'Drop some', value: 'drop' as const }] : []),
  ]);
  const flags =
    change === 'add'
      ? { addScope: await pickScopes(session, 'Scopes to add', ({ scope }) => !key.scopes.includes(scope)) }
      : change === 'drop'
        ? { dropScope: await pickScopes(session, 'Scopes to drop', ({ scope }) => key.scopes.includes(scope)) }
        : {};
  const question = `Rotate ${quoted(key.name)} (${key.id})? A new key takes its place; the old one works for another 24 h at most.`;
  if (change === 'none' && !(await prompts.yesNo(question, true))) throw notConfirmed(); // another change of scopes is asked about by `rotate`
  return makeKeys(session, () => rotate(session, flags, key.id), `Rotated ${quoted(key.name)}`);
}

async function pickScopes(
  session: Session,
  question: string,
  among: (scope: CatalogueScope) => boolean,
): Promise<string[]> {
  const catalogue = (await (await session.keyring()).scopes()).filter((each) => among(each));
  if (catalogue.length === 0) throw new KeysError('usage', 'the key already has every scope');
  return (await session.prompts()).pick(question, groupsOf(catalogue));
}

function notConfirmed(): KeysError {
  return new KeysError('confirmation_required', 'not confirmed; nothing was changed');
}

async function setStatus(session: Session, verb: 'disable' | 'enable', keys: readonly ApiKey[]): Promise<Said> {
  const keyring = await session.keyring();
  const due = keys.filter(({ status }) => (status === 'active') === (verb === 'disable'));
  if (verb === 'disable') await confirmDisabling(session, due);
  const did = verb === 'disable' ? 'Disabled' : 'Enabled';
  return each(session, did, due, async (key) => {
    await (verb === 'disable' ? keyring.disable(key) : keyring.enable(key));
    return session.followUp(verb === 'disable' ? 'enable' : 'disable', key.id);
  });
}

/**
 * Acts on keys one after the other, and says what was done: also when one of them fails, and the rest is left as it was. `act` returns the
 * command that undoes it.
 */
async function each(
  session: Session,
  did: string,
  keys: readonly ApiKey[],
  act: (key: ApiKey) => Promise<string | null>,
): Promise<Said> {
  const done: ApiKey[] = [];
  let failure: string[] = [];
  for (const key of keys) {
    try {
      const undo = await act(key);
      done.push(key);
      session.out.note([`${did} ${nameOf(key)}`, ...(undo === null ? [] : [`Undo: ${undo}`])]);
    } catch (error) {
      if (!isKeysError(error)) throw error;
      const { message } = reportOf(error);
      failure = `error: ${nameOf(key)}: ${message}`.split('\n');
      session.out.remark(failure);
      break;
    }
  }
  const [first] = done;
  const count = done.length === keys.length ? `${done.length}` : `${done.length} of ${keys.length}`;
  const what = keys.length === 1 && first ? nameOf(first) : `${count} keys: ${listed(done.map(({ name }) => name))}`;
  const undo = keys.length === 1 && did !== 'Deleted' ? '; d undoes it' : '';
  return { lines: [...(first ? [`${did} ${what}${undo}`] : []), ...failure], changed: first !== undefined };
}

function nameOf(key: ApiKey): string {
  return `${quoted(key.name)} (${key.id})`;
}

/** A live key, or several keys, are asked about once: somebody's requests fail from then on. */
async function confirmDisabling(session: Session, keys: readonly ApiKey[]): Promise<void> {
  if (session.settings.profile?.value.protected) return confirmProtected(session, keys, 'disable');
  const live = keys.filter(({ mode }) => mode === 'live').length;
  if (keys.length === 1 && live === 0) return;
  const what =
    keys.length === 1
      ? `LIVE key ${quoted(keys[0]?.name ?? '')}`
      : `${keys.length} keys (${live} LIVE): ${listed(keys.map(({ name }) => name))}`;
  await confirm(session, { action: `disable ${what}; their requests are refused from now on` });
}

/** Several keys are confirmed at once, by their number. */
async function remove(session: Session, keys: readonly ApiKey[]): Promise<Said> {
  const live = keys.filter(({ mode }) => mode === 'live').length;
  if (keys.length === 1 || session.settings.profile?.value.protected) await confirmDeletion(session, keys);
  else
    await confirm(session, {
      action: `delete ${keys.length} keys (${live} LIVE): ${listed(keys.map(({ name }) => name))}`,
      typed: String(keys.length),
    });
  const keyring = await session.keyring();
  return each(session, 'Deleted', keys, async (key) => {
    const { keptUntil } = await keyring.delete(key);
    return keptUntil === null ? null : session.followUp('restore', key.id);
  });
}
