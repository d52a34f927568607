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
import { Peppers } from './domain/peppers.js';
import { Keyring } from './keyring/keyring.js';
import { readPepperFile } from './secret-file.js';
import { readStorePath } from './store/local/store-path.js';
import { openStore } from './store/open.js';
import { isStoreUrl } from './store/remote/address.js';
import { Verifier, type VerifierOptions } from './verifier/verifier.js';
import { VERSION } from './version.js';

export type { ApiKey, DisplayStatus, Status } from './domain/api-key.js';
export type { AuditAction, AuditHead } from './domain/audit.js';
export { type ErrorCode, KeysError } from './domain/errors.js';
export type { RateDecision, RateState } from './domain/gcra.js';
export type { AuditEvent, AuditQuery, Changed, Finding, IfExists, KeyPage, ListQuery } from './domain/key-store.js';
export { KEY_STRING_IN_TEXT, type Mode, maskKey } from './domain/key-string.js';
export type { Labels } from './domain/labels.js';
export { parseRateLimit, type RateLimit } from './domain/rate-limit.js';
export type { CatalogueScope } from './domain/scopes.js';
export type { StoreScheme } from './domain/secret-hash.js';
export type { Demands, Verdict } from './domain/verdict.js';
export type { AuditCheck } from './keyring/audit-check.js';
export type { CopyResult } from './keyring/copy.js';
export type { CreateInput, CreateOptions, CreatePlan } from './keyring/creation.js';
export type { ChangeOptions, CreatedKey, EditInput, HashReport, Identity, KeyRef } from './keyring/keyring.js';
export type { PruneQuery } from './keyring/prune.js';
export type { FinishOptions, RotatedKey, RotateInput, Rotation, RotationPlan } from './keyring/rotation.js';
export type { RateLimiter } from './verifier/memory-limiter.js';
export type { Counters, Needs, VerifierOptions } from './verifier/verifier.js';
export type { Keyring, Verifier };

/** Where a store is, and how to get in. */
export interface StoreOptions {
  /** The path of a store file, or the URL of a libSQL server: `libsql://`, `https://`, `wss://`. */
  readonly store: string;
  /** The token for a remote store. */
  readonly authToken?: string | undefined;
  /** Speak to a remote store unencrypted, beyond this machine. Default: false. */
  readonly allowHttp?: boolean | undefined;
  /** How long to wait for another process's lock, or for one answer of a server, in milliseconds. Default: 5000, remote 10000. */
  readonly timeoutMs?: number | undefined;
  /** The path of the file of peppers, for a store whose keys are hashed with one. */
  readonly pepperFile?: string | undefined;
  /** What such a file holds, from wherever else you keep secrets; in place of the file. */
  readonly peppers?: string | undefined;
}

export interface OpenKeyringOptions extends StoreOptions {
  /** Make the store when it is not there (its directory, or an empty database, must be). Default: true. */
  readonly create?: boolean;
  /** Who asks for the changes, for the audit log; the OS user is recorded besides. */
  readonly actor?: string | undefined;
  /** Open it as the target of `storeCopy`. Default: false. */
  readonly receive?: boolean | undefined;
  /** Refuse to make or change live keys. Default: false. */
  readonly testOnly?: boolean | undefined;
}

export interface CreateVerifierOptions extends StoreOptions, Omit<VerifierOptions, 'now' | 'peppers' | 'by'> {}

function author(actor?: string): () => Authorship {
  return () => ({ actor: actor ?? null, osUser: os.userInfo().username, host: os.hostname(), tool: VERSION });
}

/** Throws `usage` or `unsafe_path`: a file of secrets that others may read is refused. */
function readPeppers({ peppers, pepperFile }: StoreOptions): Peppers {
  if (peppers !== undefined) return Peppers.parse(peppers, 'the option peppers');
  return pepperFile === undefined ? Peppers.none : readPepperFile(pepperFile, process.platform);
}

function open(
  options: StoreOptions & { receive?: boolean | undefined; durable?: boolean },
  create: boolean,
  actor?: string,
) {
  const { store, authToken, allowHttp } = options;
  const remote = isStoreUrl(store);
  return openStore(remote ? store : readStorePath(store, process.cwd()), {
    create,
    makeParent: false,
    receive: options.receive,
    durable: options.durable,
    timeoutMs: options.timeoutMs ?? (remote ? 10_000 : 5000),
    ...(remote && { token: authToken, allowHttp }),
    by: author(actor),
    now: () => new Date(),
  });
}

/**
 * Opens a store for making and governing keys. Throws `KeysError` with a `store_…` code, `unauthorized`, `unsafe_path` or `usage`; a
 * remote store is asked nothing until the first call.
 */
export async function openKeyring(options: OpenKeyringOptions): Promise<Keyring> {
  const { actor, testOnly, create } = options;
  const peppers = readPeppers(options);
  return new Keyring(await open(options, create !== false, actor), { by: author(actor), testOnly, peppers });
}

/**
 * Opens a store for verifying key strings. A key disabled or deleted by any process is refused from the next call on. Throws
 * `KeysError`; so does `verify` when the store cannot answer, and never for a key that is refused.
 */
export async function createVerifier(options: CreateVerifierOptions): Promise<Verifier> {
  const peppers = readPeppers(options);
  return new Verifier(await open({ ...options, durable: false }, false), { ...options, peppers, by: author() });
}
