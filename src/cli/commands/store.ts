import { existsSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { examples, type Register } from '../command.js';
import type { View } from '../output/formats.js';
import { findingView } from '../output/views.js';
import { answer } from '../session.js';

interface Place {
  readonly path: string;
  readonly source: string;
  readonly exists: boolean;
}

const placeView: View<Place> = {
  fields: ['path', 'source', 'exists'],
  valueField: 'path',
  json: (place) => ({ ...place }),
  columns: [],
};

export const registerStore: Register = (program, run) => {
  const store = program
    .command('store')
    .summary('where keys live: path, check, backup')
    .description('The store: the file that holds the keys, the catalogue and the audit log.');

  store
    .command('path', { isDefault: true })
    .allowExcessArguments()
    .summary('where the store is')
    .description('Print where the store is looked for; on stderr, who said so.')
    .addHelpText('after', examples('store path', 'store path --json'))
    .action(
      run(async (session, _flags: object) => {
        const { value, source } = await session.store();
        const place = { path: value, source, exists: existsSync(value) };
        await session.print([place], placeView, { single: true, table: async () => `${value}\n` });
        if (session.format === 'table') session.note(`(${source}${place.exists ? '' : '; not made yet'})`);
      }),
    );

  store
    .command('check')
    .summary('is it sound: integrity, permissions, triggers, audit chain')
    .description(
      'Check the store: integrity of the file, permissions, triggers, audit chain. Exit 7 when something failed.',
    )
    .addHelpText('after', examples('store check', 'store check --json'))
    .action(
      run(async (session, _flags: object) => {
        const { checkStore } = await import('../health.js');
        const findings = await checkStore(await session.keyring());
        await session.print(findings, findingView);
        for (const { check, hint } of findings) if (hint) session.note(`${check}: ${hint}`);
        return answer(findings.every(({ status }) => status !== 'failed'));
      }),
    );

  store
    .command('backup')
    .summary('a complete copy in a new file')
    .description(
      'Write a complete, consistent copy to a new file (mode 0600), while others go on using the store. To move a store, back it up and name the copy with --store or UNLOCKOS_KEYS_STORE.',
    )
    .argument('<file>', 'a file that does not exist yet')
    .addHelpText(
      'after',
      examples('store backup keys-2026-11-23.db', 'list --store keys-2026-11-23.db   # a copy is a store'),
    )
    .action(
      run(async (session, _flags: object, file: string) => {
        if (file.trim() === '')
          throw new KeysError('usage', 'the name of the copy is empty', 'unlockos-keys store backup FILE');
        const target = path.resolve(session.ctx.cwd, file);
        const keyring = await session.keyring();
        if (session.dryRun) return session.remark(`Dry run: would write ${target}`);
        await keyring.storeBackup(target);
        session.note(`Wrote ${target}`);
        if (session.format !== 'table')
          await session.print([{ path: target, source: 'backup', exists: true }], placeView, { single: true });
      }),
    );
};
