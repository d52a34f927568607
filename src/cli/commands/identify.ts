import { isKeysError } from '../../domain/errors.js';
import { maskKey } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import type { Identity } from '../../keyring/keyring.js';
import { examples, type Register } from '../command.js';
import { type KeyInputFlags, readKeyString } from '../key-input.js';
import type { View } from '../output/formats.js';
import { keyJson } from '../output/views.js';
import { answer, type Session } from '../session.js';

export const registerIdentify: Register = (program, run) => {
  program
    .command('identify')
    .summary('what a found key string is: mode, id, checksum, whose')
    .description(
      'Read a key string that was found somewhere: its mode and id, whether its checksum is right, and, where the store is at hand, whose key it is. Works offline, and proves nothing: verify does.',
    )
    .option('--stdin', 'read the key string from stdin')
    .option('--key-file <file>', 'read the key string from a file')
    .addHelpText('after', examples('identify --stdin < found.txt', 'identify --key-file found.txt --json'))
    .action(
      run(async (session, flags: KeyInputFlags) => {
        const identity = await identify(session, await readKeyString(session, flags));
        const view: View<Identity> = {
          fields: ['recognised', 'mode', 'id', 'checksum', 'key'],
          valueField: 'id',
          json: (each) =>
            each.recognised
              ? {
                  recognised: true,
                  mode: each.mode,
                  id: each.id,
                  checksum: each.checksum,
                  key: each.key && keyJson(each.key, session.now),
                }
              : { recognised: false, mode: null, id: null, checksum: null, key: null },
          columns: [],
        };
        await session.print([identity], view, { single: true, table: async () => `${describe(identity)}\n` });
        return answer(identity.recognised && identity.checksum === 'good');
      }),
    );
};

/** The store is a help, not a need: one that is missing or busy leaves the offline answer. */
async function identify(session: Session, text: string): Promise<Identity> {
  const { identifyOffline } = await import('../../keyring/keyring.js');
  const offline = identifyOffline(text);
  if (!offline.recognised || session.storeIsUnborn()) return offline;
  try {
    return await (await session.keyring()).identify(text);
  } catch (error) {
    if (!isKeysError(error)) throw error;
    session.note(`Not looked up: ${error.message}`);
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
