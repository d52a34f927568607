import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { isKeysError } from '../../domain/errors.js';
import type { ListQuery } from '../../domain/key-store.js';
import { maskKey } from '../../domain/key-string.js';
import { safeText } from '../../domain/text.js';
import type { ExitCode } from '../exit-code.js';
import { statusText } from '../output/views.js';
import type { Session } from '../session.js';
import { confirmDeletion } from './delete.js';
import { editByPrompt } from './edit.js';
import { showKey } from './show.js';

type Action = 'show' | 'edit' | 'disable' | 'enable' | 'delete' | 'back';

/** `list --interactive`: pick a key, act on it, see the list again, until the person leaves. */
export async function browse(session: Session, query: Omit<ListQuery, 'now'>): Promise<ExitCode> {
  const keyring = await session.keyring();
  const prompts = await session.prompts();
  for (;;) {
    const { keys } = await keyring.list(query);
    const picked = await prompts.find<ApiKey | null>('Key (type to search)', [
      ...keys.map((key) => ({
        name: `${key.name}  ${maskKey(key.mode, key.id)}  ${statusText(statusAt(key, session.now))}`,
        value: key,
      })),
      { name: 'Quit', value: null },
    ]);
    if (!picked) return 0;
    const action = await prompts.choose<Action>(`${safeText(picked.name)}:`, [
      { name: 'Show', value: 'show' },
      { name: 'Edit name, description, rate limit', value: 'edit' },
      picked.status === 'active' ? { name: 'Disable', value: 'disable' } : { name: 'Enable', value: 'enable' },
      { name: 'Delete', value: 'delete' },
      { name: 'Back to the list', value: 'back' },
    ]);
    try {
      await act(session, picked, action);
    } catch (error) {
      if (!isKeysError(error) || error.code === 'cancelled') throw error;
      session.remark(`error: ${error.message}`.split('\n'));
    }
  }
}

async function act(session: Session, key: ApiKey, action: Action): Promise<void> {
  const keyring = await session.keyring();
  switch (action) {
    case 'show':
      return showKey(session, key);
    case 'edit':
      return editByPrompt(session, key);
    case 'disable':
      await session.confirmProtected([key], 'disable');
      await keyring.disable(key);
      return session.note(`Disabled ${key.name} (${key.id})`);
    case 'enable':
      await keyring.enable(key);
      return session.note(`Enabled ${key.name} (${key.id})`);
    case 'delete':
      await confirmDeletion(session, [key]);
      await keyring.delete(key);
      return session.note(`Deleted ${key.name} (${key.id})`);
    case 'back':
      return undefined;
  }
}
