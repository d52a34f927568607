import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import type { StoreScheme } from '../../domain/secret-hash.js';
import { quoted } from '../../domain/text.js';
import type { HashReport } from '../../keyring/hash-report.js';
import { examples, operationOption, type Register } from '../command.js';
import { view } from '../output/view.js';
import type { Session } from '../session.js';

interface HashFlags {
  readonly pepper?: string;
}

interface Line {
  readonly scheme: string;
  readonly keys: number;
  readonly readable: boolean;
  /** New keys are hashed by it. */
  readonly current: boolean;
}

const hashView = view<Line>('scheme', {
  scheme: { column: { header: 'SCHEME', text: ({ scheme, current }) => (current ? `${scheme} *` : scheme) } },
  keys: { column: { header: 'KEYS', text: ({ keys }) => String(keys) } },
  readable: {
    column: {
      header: 'READABLE',
      text: ({ readable }) => (readable ? 'yes' : 'NO: its pepper is missing'),
    },
  },
  current: {},
});

const LOSS =
  'If you lose a pepper, every key hashed with it stops working: keep a copy of the file in your secret manager.';

export const registerStoreHash: Register = (store, run) => {
  operationOption(
    store
      .command('hash')
      .summary('show or change how keys are hashed: bcrypt, or HMAC with a pepper')
      .description(
        'Show how keys are hashed, or change it for new keys; an existing key is rehashed when an API server next verifies it. hmac-sha256 is for large fleets: the first check of a key in a process takes microseconds instead of a tenth of a second, and someone who can read or write the store but has no pepper can neither test nor forge a key. Give every server the pepper file before you change this.',
      )
      .argument('[scheme]', 'bcrypt, or hmac-sha256')
      .option('--pepper <id>', 'the pepper to hash with (default: the newest in the file)')
      .addHelpText(
        'after',
        examples(
          'store hash',
          'store pepper peppers && store hash hmac-sha256',
          'store hash hmac-sha256 --pepper 7q3vd0mx',
        ),
      ),
  ).action(run((session, flags: HashFlags, scheme: string | undefined) => hash(session, flags, scheme)));

  store
    .command('pepper')
    .summary('add a new pepper to a pepper file')
    .description(
      'Add a new pepper, a line of random characters with an id, to a file that only its owner can read; the file is created if needed. The tool finds the file by UNLOCKOS_KEYS_PEPPER_FILE or by pepperFile in a profile, a server by createVerifier({ pepperFile }). To rotate the pepper: add one, give the file to every server, then run store hash hmac-sha256. Remove an old pepper once store hash shows no key that uses it.',
    )
    .argument('<file>', 'the pepper file')
    .addHelpText('after', examples('store pepper peppers', 'store pepper /etc/unlockos/peppers'))
    .action(run((session, _flags: object, file: string) => addPepper(session, file)));
};

async function hash(session: Session, flags: HashFlags, scheme: string | undefined): Promise<void> {
  if (scheme === undefined && flags.pepper !== undefined)
    throw new KeysError(
      'usage',
      '--pepper works with hmac-sha256 only',
      'unlockos-keys store hash hmac-sha256 --pepper ID',
    );
  const keyring = await session.keyring();
  const report = await keyring.storeHash();
  if (scheme === undefined) return show(session, report);
  const wanted = readScheme(scheme, flags.pepper, report);
  if (session.dryRun) return session.out.remark(`Dry run: would hash new keys by ${wanted} (now: ${report.scheme})`);
  session.noteStore();
  const { changed } = await keyring.setStoreHash(wanted, { operationId: session.operation.id });
  session.out.note(
    changed
      ? `New keys are hashed by ${wanted}; existing keys are rehashed when they are next used`
      : `Already ${wanted}; nothing changed`,
  );
  if (wanted !== 'bcrypt') session.out.note(LOSS);
  await show(session, await keyring.storeHash());
}

async function show(session: Session, { scheme, hashes, peppers }: HashReport): Promise<void> {
  const lines = hashes.map((each): Line => ({ ...each, current: each.scheme === scheme }));
  const readable = scheme === 'bcrypt' || peppers.some((id) => scheme === `hmac-sha256:${id}`);
  const unused = { scheme, keys: 0, readable, current: true };
  await session.out.print(lines.some(({ current }) => current) ? lines : [unused, ...lines], hashView);
  if (peppers.length > 0) session.out.note(`Available peppers: ${peppers.join(', ')}`);
}

function readScheme(text: string, pepper: string | undefined, { peppers }: HashReport): StoreScheme {
  if (text === 'bcrypt' && pepper === undefined) return 'bcrypt';
  if (text !== 'hmac-sha256')
    throw new KeysError(
      'usage',
      `${quoted(text)} is not a hash scheme`,
      'pass bcrypt (without a pepper) or hmac-sha256',
    );
  const chosen = pepper ?? peppers.at(-1);
  if (chosen === undefined)
    throw new KeysError(
      'pepper_missing',
      'there is no pepper to hash with',
      'add one: unlockos-keys store pepper FILE; then set UNLOCKOS_KEYS_PEPPER_FILE, or pepperFile in the profile, to the file',
    );
  return `hmac-sha256:${chosen}`;
}

async function addPepper(session: Session, file: string): Promise<void> {
  if (file.trim() === '') throw new KeysError('usage', 'the file name is empty', 'unlockos-keys store pepper FILE');
  const target = path.resolve(session.ctx.cwd, file);
  if (session.dryRun) return session.out.remark(`Dry run: would add a pepper to ${target}`);
  const { addPepperTo } = await import('../settings/peppers.js');
  const { id, ids } = addPepperTo(target, session.ctx.platform);
  session.ctx.stdout.write(`${id}\n`);
  session.out.note(`Added pepper ${id} to ${target} (${ids.length} in it). ${LOSS}`);
}
