import { existsSync } from 'node:fs';
import path from 'node:path';
import { formatHead } from '../../domain/audit.js';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { examples, type Register } from '../command.js';
import type { View } from '../output/formats.js';
import { findingView } from '../output/views.js';
import { progressOf } from '../progress.js';
import { answer, type Session } from '../session.js';
import { type Settings, settleArgument } from '../settings.js';
import { TOKEN_VARIABLE, tokenSource } from '../token.js';
import { registerStoreHash } from './store-hash.js';

interface Place {
  readonly path: string;
  readonly source: string;
  /** Null for a remote store: nobody was asked. */
  readonly exists: boolean | null;
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
    .summary('where keys live: path, check, backup, copy')
    .description('The store: the file or the remote database that holds the keys, the catalogue and the audit log.');

  store
    .command('path', { isDefault: true })
    .allowExcessArguments()
    .summary('where the store is')
    .description('Print where the store is looked for; on stderr, who said so.')
    .addHelpText('after', examples('store path', 'store path --json'))
    .action(
      run(async (session, _flags: object) => {
        const { value, source } = session.store;
        const place = { path: value, source, exists: session.settings.remote ? null : existsSync(value) };
        await session.print([place], placeView, { single: true, table: async () => `${value}\n` });
        if (session.format === 'table') session.note(`(${source}${place.exists !== false ? '' : '; not made yet'})`);
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
    .action(run((session, _flags: object, file: string) => backup(session, file)));

  store
    .command('copy')
    .summary('keys, catalogue and audit log into another store; resumable')
    .description(
      'Copy a store into another, local or remote: keys, catalogue, last-used marks and the audit log, but no secret, for no store holds any. Cut off, it goes on where it was; run again later, it takes in what happened since. At the end both are verified. Until then nothing else opens the copy.',
    )
    .argument('<from>', 'a path, a URL, or the name of a profile')
    .argument('<to>', 'likewise; a store that does not exist yet, an empty database, or an earlier copy')
    .addHelpText(
      'after',
      examples(
        'store copy keys.db libsql://keys-acme.turso.io',
        'store copy prod keys-of-prod.db',
        'store copy old new -n',
      ),
    )
    .action(run((session, _flags: object, from: string, to: string) => copy(session, from, to)));

  registerStoreHash(store, run);
};

async function backup(session: Session, file: string): Promise<void> {
  if (file.trim() === '')
    throw new KeysError('usage', 'the name of the copy is empty', 'unlockos-keys store backup FILE');
  const target = path.resolve(session.ctx.cwd, file);
  const keyring = await session.keyring();
  if (session.settings.remote && existsSync(target))
    throw new KeysError('conflict', `${quoted(target)} exists`, 'choose a new file: a backup never overwrites');
  if (session.dryRun) return session.remark(`Dry run: would write ${target}`);
  if (session.settings.remote) {
    const { config } = session.settings;
    const settings = settleArgument(session.ctx, session.flags, config, target);
    await keyring.storeCopy(await session.other(settings, { create: true, receive: true }), progressOf(session, 1000));
  } else await keyring.storeBackup(target);
  session.note(`Wrote ${target}`);
  if (session.format !== 'table')
    await session.print([{ path: target, source: 'backup', exists: true }], placeView, { single: true });
}

async function copy(session: Session, from: string, to: string): Promise<void> {
  const { ctx, flags, settings } = session;
  const [source, target] = [from, to].map((text) => settleArgument(ctx, flags, settings.config, text)) as [
    Settings,
    Settings,
  ];
  if (source.store.value === target.store.value)
    throw new KeysError('usage', 'FROM and TO are the same store', 'unlockos-keys store copy FROM TO');
  const guard = [target.profile, settings.profile].find((profile) => profile?.value.testOnly);
  if (guard)
    throw new KeysError(
      'guarded',
      `profile ${guard.value.name} is for test keys only, and a copy holds all keys`,
      'name another store, or another profile',
    );
  refuseSharedToken(session, source, target);
  const keyring = await session.other(source, {});
  session.note(`From: ${source.store.value} (${source.store.source})`);
  session.note(`To: ${target.store.value} (${target.store.source})`);
  if (session.dryRun) {
    const { seq } = await keyring.auditHead();
    return session.remark(`Dry run: would copy ${seq} audit events and the keys that they are about`);
  }
  const receiver = await session.other(target, { create: true, receive: true });
  const { head, keys, copied } = await keyring.storeCopy(receiver, progressOf(session, 1000));
  const result = { keys, events: head.seq, copied, head: formatHead(head) };
  await session.print([result], copyView, {
    single: true,
    table: async () =>
      `${keys} keys, ${copied} of ${head.seq} audit events now; both logs end in ${formatHead(head)}\n`,
  });
}

/** The environment holds one token: it is for one server, and the other must not get to see it. */
function refuseSharedToken({ ctx }: Session, source: Settings, target: Settings): void {
  const both = [source, target].every((each) => each.remote && tokenSource(each, ctx) === TOKEN_VARIABLE);
  if (both)
    throw new KeysError(
      'usage',
      `${TOKEN_VARIABLE} is one token, and these are two servers`,
      'name at least one of them by a profile with a token of its own: unlockos-keys profile add',
    );
}

interface Copied {
  readonly keys: number;
  readonly events: number;
  readonly copied: number;
  readonly head: string;
}

const copyView: View<Copied> = {
  fields: ['keys', 'events', 'copied', 'head'],
  valueField: 'head',
  json: (copied) => ({ ...copied }),
  columns: [],
};
