import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
import { isThere } from '../../files/exists.js';
import { examples, type Register } from '../command.js';
import { answerCode } from '../exit-code.js';
import { progressOf } from '../output/progress.js';
import { view } from '../output/view.js';
import { findingView } from '../output/views.js';
import type { Session } from '../session.js';
import { settingsForStore } from '../settings/settings.js';
import { registerStoreCopy } from './store-copy.js';
import { registerStoreHash } from './store-hash.js';
import { registerStorePolicy } from './store-policy.js';
import { registerStoreRestore } from './store-restore.js';

interface Place {
  readonly path: string;
  readonly source: string;
  /** Null for a remote store, which is not asked. */
  readonly exists: boolean | null;
}

const placeView = view<Place>('path', { path: {}, source: {}, exists: {} });

export const registerStore: Register = (program, run) => {
  const store = program
    .command('store')
    .summary('path, check, backup, restore, copy, upgrade, hash, policy')
    .description('The store: the file or remote database that holds the keys, the catalogue and the audit log.');

  store
    .command('path', { isDefault: true })
    .allowExcessArguments()
    .summary('print where the store is')
    .description('Print the path or URL of the store, and on stderr what set it.')
    .addHelpText('after', examples('store path', 'store path --json'))
    .action(
      run(async (session, _flags: object) => {
        const { value, source } = session.store;
        const place = { path: value, source, exists: session.settings.remote ? null : isThere(value) };
        await session.out.print([place], placeView, { single: true, table: async () => `${safeText(value)}\n` });
        if (session.format === 'table')
          session.out.note(`(${source}${place.exists !== false ? '' : '; not created yet'})`);
      }),
    );

  store
    .command('check')
    .summary('check integrity, permissions, triggers and the audit chain')
    .description(
      'Check the store: integrity of the file, permissions, triggers and the audit chain. Exits with 7 when a check fails.',
    )
    .addHelpText('after', examples('store check', 'store check --json'))
    .action(
      run(async (session, _flags: object) => {
        const { checkStore } = await import('../diagnose.js');
        const findings = await checkStore(session.ctx, await session.keyring());
        await session.out.print(findings, findingView);
        for (const { check, hint } of findings) if (hint) session.out.note(`${check}: ${hint}`);
        return answerCode(findings.every(({ status }) => status !== 'failed'));
      }),
    );

  store
    .command('backup')
    .summary('write a complete copy to a new file')
    .description(
      'Write a complete, consistent copy to a new file (mode 0600), even while the store is in use. To move a store, back it up and name the copy with --store or UNLOCKOS_KEYS_STORE.',
    )
    .argument('<file>', 'a file that does not exist yet')
    .addHelpText(
      'after',
      examples('store backup keys-2026-11-23.db', 'list --store keys-2026-11-23.db   # a copy is a store'),
    )
    .action(run((session, _flags: object, file: string) => backup(session, file)));

  registerStoreCopy(store, run);
  registerStoreRestore(store, run);

  store
    .command('upgrade')
    .summary('bring an older store up to the schema of this version')
    .description(
      'Bring the schema of an older store up to date. A copy of a local store as it was is kept beside it, and the audit log records the upgrade. Any command that changes something does the same first; a command that reads never does. Servers of the previous version can keep running.',
    )
    .addHelpText('after', examples('store upgrade', 'store upgrade -n'))
    .action(run((session, _flags: object) => upgrade(session)));
  registerStoreHash(store, run);
  registerStorePolicy(store, run);
};

async function backup(session: Session, file: string): Promise<void> {
  if (file.trim() === '') throw new KeysError('usage', 'the file name is empty', 'unlockos-keys store backup FILE');
  const target = path.resolve(session.ctx.cwd, file);
  const keyring = await session.keyring();
  if (session.settings.remote && isThere(target))
    throw new KeysError(
      'conflict',
      `${quoted(target)} already exists`,
      'choose another file: a backup never overwrites one',
    );
  if (session.dryRun) return session.out.remark(`Dry run: would write ${target}`);
  if (session.settings.remote) {
    const { config } = session.settings;
    const settings = settingsForStore(session.ctx, session.flags, config, target);
    await keyring.storeCopy(
      await session.other(settings, { create: true, receive: true }),
      progressOf(session, { worthwhile: 1000, what: 'audit events copied' }),
    );
  } else await keyring.storeBackup(target);
  session.out.note(`Wrote ${target}`);
  if (session.format !== 'table')
    await session.out.print([{ path: target, source: 'backup', exists: true }], placeView, { single: true });
}

interface Schema {
  readonly from: number;
  readonly to: number;
  /** Where a copy of the store lies as it was. */
  readonly copy: string | null;
}

const schemaView = view<Schema>('to', { from: {}, to: {}, copy: {} });

async function upgrade(session: Session): Promise<void> {
  const keyring = await session.keyring();
  const { version, latest } = await keyring.storeSchema();
  if (session.dryRun)
    return session.out.remark(
      version < latest
        ? `Dry run: would upgrade the schema from version ${version} to ${latest}`
        : `Dry run: the schema is at version ${version}, nothing to do`,
    );
  const done = (await keyring.storeUpgrade()) ?? { from: version, to: version, copy: null };
  session.noteStore();
  await session.out.print([done], schemaView, {
    single: true,
    table: async () =>
      done.from === done.to
        ? `The schema is at version ${done.to}: nothing to do\n`
        : `Upgraded the schema from version ${done.from} to ${done.to}\n`,
  });
}
