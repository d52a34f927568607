import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import type { StoreScheme } from '../../domain/secret-hash.js';
import { quoted } from '../../domain/text.js';
import type { HashReport } from '../../keyring/keyring.js';
import { examples, operationOption, type Register } from '../command.js';
import type { View } from '../output/formats.js';
import type { Session } from '../session.js';

interface HashFlags {
  readonly pepper?: string;
}

interface Line {
  readonly scheme: string;
  readonly keys: number;
  readonly readable: boolean;
  /** It is what new keys are hashed by. */
  readonly current: boolean;
}

const hashView: View<Line> = {
  fields: ['scheme', 'keys', 'readable', 'current'],
  valueField: 'scheme',
  json: (line) => ({ ...line }),
  columns: [
    { header: 'SCHEME', field: 'scheme', text: ({ scheme, current }) => (current ? `${scheme} *` : scheme) },
    { header: 'KEYS', field: 'keys', text: ({ keys }) => String(keys) },
    {
      header: 'READABLE',
      field: 'readable',
      text: ({ readable }) => (readable ? 'yes' : 'NO: its pepper is not at hand'),
    },
  ],
};

const LOSS = 'Losing a pepper loses every key that was hashed with it: keep a copy of the file in your secret manager.';

export const registerStoreHash: Register = (store, run) => {
  operationOption(
    store
      .command('hash')
      .summary('how keys are hashed: bcrypt, or HMAC with a pepper')
      .description(
        'Show how keys are hashed, or have new ones hashed otherwise; keys that exist move over when an API server next verifies them. hmac-sha256 is for large fleets: a cold key costs microseconds in place of a tenth of a second, and whoever steals or writes to the store, without the pepper, can neither test nor make a key. Every server needs the file of peppers before this is changed.',
      )
      .argument('[scheme]', 'bcrypt, or hmac-sha256')
      .option('--pepper <id>', 'the pepper to hash with (default: the newest at hand)')
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
    .summary('make a pepper, at the end of a file of them')
    .description(
      'Make a pepper: a line of random characters with an id, added to a file that only you can read (made where it does not exist). The tool reads it from UNLOCKOS_KEYS_PEPPER_FILE, or pepperFile in a profile; a server from createVerifier({ pepperFile }). To rotate: make one, give the file to every server, then store hash hmac-sha256. An old one may be taken out when store hash shows no key with it.',
    )
    .argument('<file>', 'the file of peppers')
    .addHelpText('after', examples('store pepper peppers', 'store pepper /etc/unlockos/peppers'))
    .action(run((session, _flags: object, file: string) => addPepper(session, file)));
};

async function hash(session: Session, flags: HashFlags, scheme: string | undefined): Promise<void> {
  if (scheme === undefined && flags.pepper !== undefined)
    throw new KeysError('usage', '--pepper goes with hmac-sha256', 'unlockos-keys store hash hmac-sha256 --pepper ID');
  const keyring = await session.keyring();
  const report = await keyring.storeHash();
  if (scheme === undefined) return show(session, report);
  const wanted = readScheme(scheme, flags.pepper, report);
  if (session.dryRun) return session.remark(`Dry run: would hash new keys by ${wanted} (now: ${report.scheme})`);
  session.target();
  const { changed } = await keyring.setStoreHash(wanted, { operationId: session.operationId });
  session.note(
    changed
      ? `New keys are hashed by ${wanted}; others move over when they are next used`
      : `It was ${wanted} before: nothing changed`,
  );
  if (wanted !== 'bcrypt') session.note(LOSS);
  await show(session, await keyring.storeHash());
}

async function show(session: Session, { scheme, hashes, peppers }: HashReport): Promise<void> {
  const lines = hashes.map((each): Line => ({ ...each, current: each.scheme === scheme }));
  const readable = scheme === 'bcrypt' || peppers.some((id) => scheme === `hmac-sha256:${id}`);
  const unused = { scheme, keys: 0, readable, current: true };
  await session.print(lines.some(({ current }) => current) ? lines : [unused, ...lines], hashView);
  if (peppers.length > 0) session.note(`Peppers at hand: ${peppers.join(', ')}`);
}

function readScheme(text: string, pepper: string | undefined, { peppers }: HashReport): StoreScheme {
  if (text === 'bcrypt' && pepper === undefined) return 'bcrypt';
  if (text !== 'hmac-sha256')
    throw new KeysError(
      'usage',
      `${quoted(text)} is not a hash scheme`,
      'bcrypt (which takes no pepper), or hmac-sha256',
    );
  const chosen = pepper ?? peppers.at(-1);
  if (chosen === undefined)
    throw new KeysError(
      'pepper_missing',
      'no pepper is at hand to hash with',
      'make one: unlockos-keys store pepper FILE; then name the file in UNLOCKOS_KEYS_PEPPER_FILE, or pepperFile in the profile',
    );
  return `hmac-sha256:${chosen}`;
}

async function addPepper(session: Session, file: string): Promise<void> {
  if (file.trim() === '')
    throw new KeysError('usage', 'the name of the file is empty', 'unlockos-keys store pepper FILE');
  const target = path.resolve(session.ctx.cwd, file);
  if (session.dryRun) return session.remark(`Dry run: would add a pepper to ${target}`);
  const { addPepperTo } = await import('../peppers.js');
  const { id, ids } = addPepperTo(target, session.ctx.platform);
  session.ctx.stdout.write(`${id}\n`);
  session.note(`Added pepper ${id} to ${target} (${ids.length} in it). ${LOSS}`);
}
