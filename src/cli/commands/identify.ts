import { isKeysError } from '../../domain/errors.js';
import { maskKey } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import type { Identity } from '../../keyring/identity.js';
import { examples, type Register } from '../command.js';
import { answerCode } from '../exit-code.js';
import { keyJson } from '../output/key-view.js';
import { type View, view } from '../output/view.js';
import type { Session } from '../session.js';
import { type KeyInputFlags, readKeyString } from '../targets/key-input.js';

export const registerIdentify: Register = (program, run) => {
  program
    .command('identify')
    .summary('show which key a key string belongs to')
    .description(
      'Read a key string: its mode, its key id, whether its checksum is right and, if the store is reachable, which key it belongs to. Works offline. It does not prove that the secret is right: use verify for that.',
    )
    .option('--stdin', 'read the key string from stdin')
    .option('--key-file <file>', 'read the key string from a file')
    .addHelpText('after', examples('identify --stdin < found.txt', 'identify --key-file found.txt --json'))
    .action(
      run(async (session, flags: KeyInputFlags) => {
        const identity = await identify(session, await readKeyString(session, flags));
        await session.out.print([identity], identityView(session.now), {
          single: true,
          table: async () => `${describe(identity)}\n`,
        });
        return answerCode(identity.recognised && identity.checksum === 'good');
      }),
    );
};

function identityView(now: Date): View<Identity> {
  const known = <T>(value: (identity: Identity & { recognised: true }) => T) => ({
    json: (identity: Identity) => (identity.recognised ? value(identity) : null),
  });
  return view('id', {
    recognised: {},
    mode: known(({ mode }) => mode),
    id: known(({ id }) => id),
    checksum: known(({ checksum }) => checksum),
    key: known(({ key }) => key && keyJson(key, now)),
  });
}

/** Looks the key up in the store where that is possible; a store that is missing or busy leaves the offline answer. */
async function identify(session: Session, text: string): Promise<Identity> {
  const { identifyOffline } = await import('../../keyring/identity.js');
  const offline = identifyOffline(text);
  if (!offline.recognised || session.storeIsUnborn()) return offline;
  try {
    return await (await session.keyring()).identify(text);
  } catch (error) {
    if (!isKeysError(error)) throw error;
    session.out.note(`Not looked up: ${error.message}`);
    return offline;
  }
}

function describe(identity: Identity): string {
  if (!identity.recognised) return 'not a key string of this API';
  const { mode, id, checksum, key } = identity;
  const whose = key ? `it carries the id of ${quoted(key.name)}` : 'no key with this id is known here';
  return [
    `${maskKey(mode, id)}: a ${mode} key string, ${checksum === 'good' ? 'checksum good' : 'checksum BAD (mistyped, cut or made up)'}`,
    whose,
  ].join('\n');
}
