/**
 * The library: a keyring that manages API keys, and a verifier for an API server. It loads nothing of the command line.
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
import { actorName } from './domain/actor.js';
import type { Authorship } from './domain/audit.js';
import { type Check, filePath, flag, secretText, shape, text, wholeNumber } from './domain/checks.js';
import { KeysError } from './domain/errors.js';
import { Peppers } from './domain/peppers.js';
import { openSignedHead as readSignedHead, type SignedHead } from './domain/signed-head.js';
import { NoteSigner, NoteVerifier } from './domain/signed-note.js';
import { osUser } from './files/os-user.js';
import { readPepperFile } from './files/pepper-file.js';
import { Keyring } from './keyring/keyring.js';
import { readStorePath } from './store/local/store-path.js';
import { openStore } from './store/open.js';
import { isStoreUrl } from './store/remote/address.js';
import { VERIFIER_CHECKS, Verifier, type VerifierOptions } from './verifier/verifier.js';
import { VERSION } from './version.js';

export type { ApiKey, DisplayStatus, Status } from './domain/api-key.js';
export type { AuditAction, AuditHead } from './domain/audit.js';
export type { AuditEvent, AuditPage, AuditPosition, AuditQuery, ChainedEvent } from './domain/audit-side.js';
export type { Changed, Creator } from './domain/change.js';
export type { DeletedKey, DeleteOptions, Deletion } from './domain/deletion.js';
export type { ErrorCode } from './domain/error-codes.js';
export { KeysError } from './domain/errors.js';
export type { RateDecision, RateState } from './domain/gcra.js';
export type { KeyCensus, KeyPage, ListQuery } from './domain/key-query.js';
export type { Finding, IfExists, Replacement, SchemaUpgrade } from './domain/key-store.js';
export { KEY_STRING_IN_TEXT, type Mode, maskKey } from './domain/key-string.js';
export type { Labels } from './domain/labels.js';
export type { PolicyInput, StorePolicy } from './domain/policy.js';
export { parseRateLimit, type RateLimit } from './domain/rate-limit.js';
export type { ScopeChange, ScopeRequest } from './domain/scope-change.js';
export type { CatalogueScope } from './domain/scopes.js';
export type { StoreScheme } from './domain/secret-hash.js';
export type { SignedHead } from './domain/signed-head.js';
export type { LastRefusal, Recorder, Recording, Span } from './domain/use.js';
export type { Needs, Verdict } from './domain/verdict.js';
export type { AuditCheck } from './keyring/audit-check.js';
export type { FollowOptions } from './keyring/audit-follow.js';
export type { HeadNote } from './keyring/audit-sign.js';
export type { CopyResult } from './keyring/copy.js';
export type { CreatedKey, CreateInput, CreateOptions, CreatePlan } from './keyring/creation.js';
export type { Destination, NewKey, NewKeys } from './keyring/delivery.js';
export type { HashReport } from './keyring/hash-report.js';
export type { Identity } from './keyring/identity.js';
export type { ChangeOptions, EditInput, KeyRef } from './keyring/keyring.js';
export type { LikeInput } from './keyring/like.js';
export type { PruneQuery } from './keyring/prune.js';
export type { ReviewFinding } from './keyring/review.js';
export type { RotatedKey, RotateInput, RotationPlan } from './keyring/rotation.js';
export type { FinishOptions, Rotation } from './keyring/rotation-status.js';
export type { DayUse, KeyUse, UsageQuery } from './keyring/usage.js';
export type { RateLimiter } from './verifier/memory-limiter.js';
export type { Counters, VerifierOptions } from './verifier/verifier.js';
export type { Keyring, Verifier };

/** Where a store is, and how to open it. */
export interface StoreOptions {
  /** The path of a store file, or the URL of a libSQL server: `libsql://`, `https://`, `wss://`. */
  readonly store: string;
  /**
   * The token of a remote store. Default: the variable `UNLOCKOS_KEYS_AUTH_TOKEN`, as long as `UNLOCKOS_KEYS_STORE` is not set to another store:
   * a token is sent to the store that it belongs to, and to no other.
   */
  readonly authToken?: string | undefined;
  /** Allow `http://` and `ws://` to another machine. Default: false. */
  readonly allowHttp?: boolean | undefined;
  /** How long to wait for the lock of another process, or for each response of a server, in milliseconds. Default: 5000; 10000 for a remote store. */
  readonly timeoutMs?: number | undefined;
  /** The path of the pepper file, for a store whose keys are hashed with a pepper. Only its owner may be able to read it. */
  readonly pepperFile?: string | undefined;
  /** The text of a pepper file, instead of its path. */
  readonly peppers?: string | undefined;
}

/** Options of {@link openKeyring}. */
export interface OpenKeyringOptions extends StoreOptions {
  /** Create the store if it does not exist. Its directory, or an empty database, must exist. Default: true. */
  readonly create?: boolean;
  /** Who asks for the changes, for the audit log. The OS user is recorded as well. Default: none. */
  readonly actor?: string | undefined;
  /** Open the store as the target of `storeCopy`. Default: false. */
  readonly receive?: boolean | undefined;
  /** Refuse to create or change live keys, with the code `guarded`. Default: false. */
  readonly testOnly?: boolean | undefined;
}

/** Options of {@link createVerifier}. */
export interface CreateVerifierOptions extends StoreOptions, Omit<VerifierOptions, 'now' | 'peppers' | 'by'> {}

const STORE_CHECKS = () => ({
  store: filePath,
  authToken: secretText,
  allowHttp: flag,
  timeoutMs: wholeNumber(0, 600_000),
  pepperFile: filePath,
  peppers: secretText,
});

// Functions, so that importing something else from here costs an application nothing.
const keyringOptions = (): Check =>
  shape<OpenKeyringOptions>({ ...STORE_CHECKS(), create: flag, actor: actorName, receive: flag, testOnly: flag }, [
    'store',
  ]);
const verifierOptions = (): Check =>
  shape<CreateVerifierOptions>({ ...STORE_CHECKS(), ...VERIFIER_CHECKS }, ['store', 'environment']);

/** The token for a remote store. Throws `unauthorized` for a variable that is set and holds none. */
function tokenFor({ store, authToken }: StoreOptions): string | undefined {
  if (authToken !== undefined) return authToken;
  const { UNLOCKOS_KEYS_AUTH_TOKEN: token, UNLOCKOS_KEYS_STORE: named } = process.env;
  if (token === undefined || (named !== undefined && named !== '' && named !== store)) return undefined;
  if (token.trim() !== '') return token.trim();
  throw new KeysError(
    'unauthorized',
    'UNLOCKOS_KEYS_AUTH_TOKEN gave no token',
    "it was empty; for a store without a token, unset it or pass authToken: ''",
  );
}

function author(actor?: string): () => Authorship {
  return () => ({ actor: actor ?? null, osUser: osUser(), host: os.hostname(), tool: VERSION });
}

/** Throws `usage`, or `unsafe_path` for a file that other users can read. */
function readPeppers({ peppers, pepperFile }: StoreOptions): Peppers {
  if (peppers !== undefined) return Peppers.parse(peppers, 'the option peppers');
  return pepperFile === undefined ? Peppers.none : readPepperFile(pepperFile, process.platform);
}

function open(
  options: StoreOptions & { receive?: boolean | undefined; durable?: boolean },
  create: boolean,
  actor?: string,
) {
  const { store, allowHttp } = options;
  const remote = isStoreUrl(store);
  return openStore(remote ? store : readStorePath(store, process.cwd()), {
    create,
    makeParent: false,
    receive: options.receive,
    durable: options.durable,
    follow: true,
    timeoutMs: options.timeoutMs ?? (remote ? 10_000 : 5000),
    ...(remote && { token: tokenFor(options) || undefined, allowHttp }),
    by: author(actor),
    now: () => new Date(),
  });
}

/**
 * Opens a store to create and manage keys. Throws {@link KeysError} with a `store_…` code, `unauthorized`, `unsafe_path` or `usage`. A
 * remote store is not contacted before the first call, which then throws these.
 *
 * @example
 * ```ts
 * import { openKeyring } from 'unlockos-keys';
 *
 * const keyring = await openKeyring({ store: './keys.db', actor: 'provisioning', testOnly: true });
 * await keyring.create([{ name: 'ci', mode: 'test', scopes: ['checkin:read'] }]);
 * await keyring.close();
 * ```
 */
export async function openKeyring(options: OpenKeyringOptions): Promise<Keyring> {
  keyringOptions()(options, 'openKeyring: options');
  const { actor, testOnly, create } = options;
  const peppers = readPeppers(options);
  return new Keyring(await open(options, create !== false, actor), { by: author(actor), testOnly, peppers });
}

/**
 * Opens a store to verify key strings. A key that any process disables or deletes is refused from the next call on. Throws
 * {@link KeysError}: `marks_refused` where it may not write to the store and `markUsed` is not false; so does `verify` when the store does not answer. A refused key is a value, not an error.
 *
 * @example
 * ```ts
 * import { createVerifier, openKeyring } from 'unlockos-keys';
 *
 * await openKeyring({ store: './keys.db' });
 * const verifier = await createVerifier({ store: './keys.db', environment: 'live' });
 * const { verdict } = await verifier.verify('unlk_live_…', { scopes: ['plan:read'] });
 * console.log(verdict);
 * ```
 */
export async function createVerifier(options: CreateVerifierOptions): Promise<Verifier> {
  verifierOptions()(options, 'createVerifier: options');
  const { environment, maxStaleMs, rateLimit, markUsed, onWarning, pepperedOnly } = options;
  const own = { environment, maxStaleMs, rateLimit, markUsed, onWarning, pepperedOnly };
  const peppers = readPeppers(options);
  const store = await open({ ...options, durable: false }, false);
  try {
    return await Verifier.open(store, { ...own, peppers, by: author() });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Makes a key for {@link Keyring.auditSign}: Ed25519, in the form of the Go checksum database. `name` says who signs, without spaces and plus signs.
 * Throws `usage` for another name.
 *
 * @example
 * ```ts
 * import { newSigningKey } from 'unlockos-keys';
 *
 * const { publicKey } = newSigningKey('example.com/unlockos-keys');
 * console.log(publicKey);
 * ```
 */
export function newSigningKey(name: string): { readonly privateKey: string; readonly publicKey: string } {
  text(name, 'newSigningKey: name');
  const signer = NoteSigner.generate(name);
  return { privateKey: signer.secret(), publicKey: signer.verifier.toString() };
}

/**
 * Reads a note of `audit sign` or {@link Keyring.auditSign} with the public key of who signed it. Null when another key signed it, or it was changed.
 * Pass the `head` to `auditContains` or `auditVerify`. Throws `usage` for a text that is not such a note or key.
 *
 * @example
 * ```ts
 * import { newSigningKey, openKeyring, openSignedHead } from 'unlockos-keys';
 *
 * const { privateKey, publicKey } = newSigningKey('example.com/unlockos-keys');
 * const keyring = await openKeyring({ store: './keys.db' });
 * const { note } = await keyring.auditSign(privateKey);
 * const signed = openSignedHead(note, publicKey);
 * console.log(signed !== null && (await keyring.auditContains(signed.head)));
 * await keyring.close();
 * ```
 */
export function openSignedHead(note: string, publicKey: string): SignedHead | null {
  text(note, 'openSignedHead: note');
  text(publicKey, 'openSignedHead: publicKey');
  return readSignedHead(note, NoteVerifier.parse(publicKey));
}
