import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { parseRateLimit } from '../../domain/rate-limit.js';
import { readTextFile } from '../../files/private-file.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { Manifest } from '../../manifest/manifest.js';
import type { Plan } from '../../manifest/plan.js';
import type { Session } from '../session.js';
import { readStdin } from '../targets/stdin.js';

export interface ManifestFlags {
  readonly file?: string;
  readonly adopt?: boolean;
  readonly adoptFrom?: string;
  readonly prune?: boolean;
}

/** Reads what `-f` names. Throws `missing_input`, and `usage` for a file that cannot be read or is not a manifest. */
export async function readManifest(session: Session, { file }: ManifestFlags): Promise<Manifest> {
  if (file === undefined || file === '')
    throw new KeysError('missing_input', 'no manifest was named', 'pass -f FILE, or -f - for stdin');
  const { MAX_MANIFEST_BYTES, parseManifest } = await import('../../manifest/parse.js');
  if (file === '-') return parseManifest(readStdin(session, 'a manifest', { maxBytes: MAX_MANIFEST_BYTES }), 'stdin');
  const text = readTextFile(path.resolve(session.ctx.cwd, file), {
    what: 'the manifest',
    shown: file,
    code: 'usage',
    maxBytes: MAX_MANIFEST_BYTES,
    hint: 'pass -f FILE, or -f - for stdin',
  });
  return parseManifest(text, file);
}

/** What it takes for the store to be as the manifest says, as of now; where the manifest is silent, new keys follow the profile. */
export async function planFor(
  session: Session,
  keyring: Keyring,
  manifest: Manifest,
  { adopt, adoptFrom, prune }: ManifestFlags,
): Promise<Plan> {
  const [{ planManifest }, { readCurrentState }, { withNameNotes }] = [
    await import('../../manifest/plan.js'),
    await import('../../manifest/current-state.js'),
    await import('../../manifest/name-notes.js'),
  ];
  const { expires, rateLimit } = session.settings;
  const { now } = session;
  const plan = planManifest(manifest, await readCurrentState(keyring, manifest), {
    now,
    adopt,
    adoptFrom,
    prune,
    defaults: {
      expiresAt: expires ? parseExpiry(expires.value, now) : null,
      rateLimit: rateLimit ? parseRateLimit(rateLimit.value) : undefined,
    },
  });
  return withNameNotes(keyring, plan);
}
