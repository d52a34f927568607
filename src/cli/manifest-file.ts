import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../domain/errors.js';
import { parseExpiry } from '../domain/expiry.js';
import { parseRateLimit } from '../domain/rate-limit.js';
import { quoted } from '../domain/text.js';
import type { Keyring } from '../keyring/keyring.js';
import type { Manifest } from '../manifest/manifest.js';
import type { Plan } from '../manifest/plan.js';
import { readStdin } from './command.js';
import type { Session } from './session.js';

export interface ManifestFlags {
  readonly file?: string;
  readonly adopt?: boolean;
  readonly prune?: boolean;
}

/** Reads what `-f` names. Throws `missing_input`, and `usage` for a file that cannot be read or is no manifest. */
export async function readManifest(session: Session, { file }: ManifestFlags): Promise<Manifest> {
  if (file === undefined || file === '')
    throw new KeysError('missing_input', 'no manifest was named', 'pass -f FILE, or -f - for stdin');
  const { MAX_MANIFEST_BYTES, parseManifest } = await import('../manifest/parse.js');
  if (file === '-') return parseManifest(readStdin(session, 'a manifest'), 'stdin');
  return parseManifest(readText(file, session.ctx.cwd, MAX_MANIFEST_BYTES), file);
}

function readText(file: string, cwd: string, limit: number): string {
  const refuse = (why: string, cause?: unknown) =>
    new KeysError('usage', `cannot read the manifest ${quoted(file)}: ${why}`, 'pass -f FILE, or -f - for stdin', {
      cause,
    });
  let descriptor: number;
  try {
    descriptor = openSync(path.resolve(cwd, file), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a pipe would be waited for
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(code === 'ENOENT' ? 'there is no such file' : (code ?? 'unknown error'), error);
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw refuse('it is no regular file');
    if (stats.size > limit) throw refuse('it is larger than 1 MiB');
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(descriptor));
  } catch (error) {
    if (error instanceof TypeError) throw refuse('it is not UTF-8 text', error);
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** What it takes for the store to be as the manifest says, as of now; where the manifest is silent, new keys follow the profile. */
export async function planFor(
  session: Session,
  keyring: Keyring,
  manifest: Manifest,
  { adopt, prune }: ManifestFlags,
): Promise<Plan> {
  const [{ planManifest }, { readPresent }] = [
    await import('../manifest/plan.js'),
    await import('../manifest/present.js'),
  ];
  const { expires, rateLimit } = session.settings;
  const { now } = session;
  return planManifest(manifest, await readPresent(keyring, manifest), {
    now,
    adopt,
    prune,
    defaults: {
      expiresAt: expires ? parseExpiry(expires.value, now) : null,
      rateLimit: rateLimit ? parseRateLimit(rateLimit.value) : undefined,
    },
  });
}
