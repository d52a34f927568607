/**
 * The library: everything that the command line does, as methods, and the verifier for an API server. Nothing of `cli/` is loaded.
 *
 * @example
 * ```ts
 * import { createVerifier, openKeyring } from 'unlockos-keys';
 *
 * const keyring = await openKeyring({ store: './keys.db' });
 * const [{ key, keyString }] = await keyring.create([{ name: 'ci', mode: 'test', scopes: ['checkin:read'] }]);
 *
 * const verifier = await createVerifier({ store: './keys.db', environment: 'test' });
 * const verdict = await verifier.verify(keyString, { scopes: ['checkin:read'] });
 * if (verdict.verdict === 'valid') console.log(verdict.key.name);
 * ```
 */
import os from 'node:os';
import type { Authorship } from './domain/audit.js';
import type { Mode } from './domain/key-string.js';
import { Keyring } from './keyring/keyring.js';
import { readStorePath } from './store/local/path-safety.js';
import { openStore } from './store/open.js';
import { type Verifier, verifierOver } from './verifier.js';
import { VERSION } from './version.js';

export type { ApiKey, DisplayStatus, Status } from './domain/api-key.js';
export type { AuditAction, AuditHead } from './domain/audit.js';
export { type ErrorCode, KeysError } from './domain/errors.js';
export type { AuditEvent, AuditQuery, Changed, Finding, KeyPage, ListQuery } from './domain/key-store.js';
export { KEY_STRING_IN_TEXT, type Mode, maskKey } from './domain/key-string.js';
export { parseRateLimit, type RateLimit } from './domain/rate-limit.js';
export type { CatalogueScope } from './domain/scopes.js';
export type { Demands, Verdict } from './domain/verdict.js';
export type { AuditCheck } from './keyring/audit-check.js';
export type { CreatedKey, CreateInput, EditInput, Identity } from './keyring/keyring.js';
export type { Keyring, Verifier };

export interface OpenKeyringOptions {
  /** The path of the store file. */
  readonly store: string;
  /** Make the store when it is not there (its directory must be). Default: true. */
  readonly create?: boolean;
  /** Who asks for the changes, for the audit log; the OS user is recorded besides. */
  readonly actor?: string;
  /** How long to wait for another process's lock, in milliseconds. Default: 5000. */
  readonly timeoutMs?: number;
}

export interface CreateVerifierOptions {
  readonly store: string;
  /** The server's own environment: keys of the other mode are refused. */
  readonly environment: Mode;
  readonly timeoutMs?: number;
}

function author(actor?: string): () => Authorship {
  return () => ({ actor: actor ?? null, osUser: os.userInfo().username, host: os.hostname(), tool: VERSION });
}

function open(options: { store: string; timeoutMs?: number }, create: boolean, actor?: string) {
  return openStore(readStorePath(options.store, process.cwd()), {
    create,
    makeParent: false,
    timeoutMs: options.timeoutMs ?? 5000,
    by: author(actor),
    now: () => new Date(),
  });
}

/** Opens a store for making and governing keys. Throws `KeysError` with a `store_…` code, `unsafe_path` or `usage`. */
export async function openKeyring(options: OpenKeyringOptions): Promise<Keyring> {
  return new Keyring(await open(options, options.create !== false, options.actor), { by: author(options.actor) });
}

/**
 * Opens a store for verifying key strings. A key disabled or deleted by any process is refused from the next call on. Throws
 * `KeysError`; so does `verify` when the store cannot answer, and never for a key that is refused.
 */
export async function createVerifier(options: CreateVerifierOptions): Promise<Verifier> {
  return verifierOver(await open(options, false), options.environment);
}
