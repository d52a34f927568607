import { formatHead } from '../../domain/audit.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import { confirm } from '../asking/confirm.js';
import { examples, type Register } from '../command.js';
import { view } from '../output/view.js';
import type { Session } from '../session.js';
import { HeadMemory } from '../settings/head-memory.js';
import { settingsForStore } from '../settings/settings.js';

interface Restored {
  readonly path: string;
  readonly from: string;
  /** Where the store that was there before is now. */
  readonly kept: string | null;
  readonly head: string;
}

const restoredView = view<Restored>('path', { path: {}, from: {}, kept: {}, head: {} });

export const registerStoreRestore: Register = (store, run) => {
  store
    .command('restore')
    .summary('put a backup in the place of the store')
    .description(
      'Put a backup in the place of a local store. The backup is checked first, and what was there is kept beside it. Servers may keep running: they open the restored store within a second. Keys that were created since the backup no longer work, and keys that were disabled or deleted since then work again.',
    )
    .argument('<file>', 'a file that store backup wrote')
    .addHelpText('after', examples('store restore keys-2026-11-23.db', 'store restore keys-2026-11-23.db -n'))
    .action(run((session, _flags: object, file: string) => restore(session, file)));
};

async function restore(session: Session, file: string): Promise<void> {
  const { ctx, flags, settings, store } = session;
  if (settings.remote)
    throw new KeysError(
      'usage',
      `${store.value} is on a server, and is restored there`,
      `into an empty database of that server: unlockos-keys store copy ${quoted(file)} URL`,
    );
  if (settings.profile?.value.testOnly)
    throw new KeysError(
      'guarded',
      `profile ${settings.profile.value.name} is for test keys only, and a backup contains live keys as well`,
      'name the store, or another profile',
    );
  const source = settingsForStore(ctx, flags, settings.config, file);
  if (source.store.value === store.value)
    throw new KeysError('usage', 'that file is the store itself', 'name a file that store backup wrote');
  const backup = await session.other(source, {});
  const head = await backup.auditHead();
  const what = `replace ${safeText(store.value)}${await described(session)} with ${safeText(source.store.value)} (up to audit row ${head.seq})`;
  if (session.dryRun) return session.out.remark(`Dry run: would ${what}`);
  await confirm(session, { action: `${what}; what is there now is kept beside it` });
  const { kept, head: end } = await backup.storeRestore(store.value);
  const restored = { path: store.value, from: source.store.value, kept, head: formatHead(end) };
  await session.out.print([restored], restoredView, {
    single: true,
    table: async () => `Restored ${store.value} from ${source.store.value}; its log ends in ${formatHead(end)}\n`,
  });
  const birth = await backup.auditBirth();
  const seen = new HeadMemory(ctx).at(store.value);
  if (birth !== null) new HeadMemory(ctx).note(store.value, birth, end, { instead: true });
  if (seen && !(await backup.auditContains(seen.head)))
    session.out.note(
      `The log goes back: it was seen here up to row ${seen.head.seq}, and the backup has it up to row ${head.seq}. The new end is remembered from now on`,
    );
  if (kept !== null) session.out.note(`What was there is in ${kept}`);
  session.out.note('Keys that were disabled or deleted after the backup work again: disable them now');
}

/** How far the present store has come, for the question; it may be damaged. */
async function described(session: Session): Promise<string> {
  let keyring: Keyring | undefined;
  try {
    keyring = await session.other(session.settings, {});
    return ` (up to audit row ${(await keyring.auditHead()).seq})`;
  } catch (error) {
    if (!isKeysError(error)) throw error;
    if (error.code === 'store_foreign') throw error;
    return error.code === 'store_missing' ? ' (not there)' : ` (${error.code})`;
  }
}
