import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { NoteSigner } from '../../domain/signed-note.js';
import { quoted } from '../../domain/text.js';
import { isThere } from '../../files/exists.js';
import { cannotWrite, createPrivateFile, readTextFile } from '../../files/private-file.js';
import type { Context } from '../context.js';
import { fromEnv } from './global-flags.js';

const VARIABLE = 'UNLOCKOS_KEYS_SIGNING_KEY_FILE';

/** Reads a signing key. Throws `usage` or `unsafe_path`, for a file that is another user's or that others can read. */
function readSigner(file: string, platform: NodeJS.Platform): NoteSigner {
  const text = readTextFile(file, {
    what: 'the signing key',
    code: 'unsafe_path',
    maxBytes: 4096,
    ownerOnly: platform !== 'win32',
    check({ uid }) {
      if (platform !== 'win32' && uid !== process.getuid?.())
        throw new KeysError(
          'unsafe_path',
          `cannot read the signing key ${quoted(file)}: it belongs to another user (uid ${uid})`,
          'use a key of your own: unlockos-keys audit keygen FILE',
        );
    },
  });
  return NoteSigner.parse(text, quoted(file));
}

/** The signing key that a flag or the variable names. Throws `missing_input` when neither does. */
export function signingKey({ env, cwd, platform }: Context, flag: string | undefined): NoteSigner {
  const file = flag ?? fromEnv({ env } as Context, VARIABLE);
  if (file !== undefined) return readSigner(path.resolve(cwd, file), platform);
  throw new KeysError(
    'missing_input',
    'missing: --signing-key',
    `make one: unlockos-keys audit keygen FILE; then pass --signing-key FILE, or set ${VARIABLE} to it`,
  );
}

/** Makes a signing key in a new file (0600). One that is there is kept, if it has this name. Throws `conflict`, `usage` or `unsafe_path`. */
export function makeSigningKey(
  file: string,
  name: string | undefined,
  { platform, host, random }: Context,
): { signer: NoteSigner; created: boolean } {
  if (isThere(file, 'unsafe_path')) {
    const signer = readSigner(file, platform);
    if (name === undefined || name === signer.verifier.name) return { signer, created: false };
    throw new KeysError(
      'conflict',
      `the key in ${quoted(file)} has the name ${quoted(signer.verifier.name)}`,
      'use another file: whoever has its public key could not check notes of a new one',
    );
  }
  const signer = NoteSigner.generate(name ?? `unlockos-keys/${host.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`, random);
  try {
    createPrivateFile(file).fill(`${signer.secret()}\n`);
  } catch (error) {
    throw cannotWrite(error, 'the signing key', file, 'name a file of your own, in a directory that exists');
  }
  return { signer, created: true };
}
