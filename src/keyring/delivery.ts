import { type ApiKey, isUndelivered } from '../domain/api-key.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { withoutPending } from '../domain/labels.js';
import type { ScopeChange } from '../domain/scope-change.js';
import { quoted } from '../domain/text.js';

/** A key that was just made. Its key string exists in this value alone; null where an existing key was kept instead. */
export interface NewKey {
  readonly key: ApiKey;
  readonly keyString: string | null;
  /** How its scopes differ from those of the key that it was made from. */
  readonly scopeChange?: ScopeChange | null | undefined;
}

/** What `create`, `rotate` and the methods that carry out their plans resolve to. */
export type NewKeys = NewKey | readonly NewKey[];

/** A place for new key strings: a file, a secret manager, a person. */
export interface Destination<T extends NewKeys = NewKeys> {
  /**
   * Called before a key is made. Throws when a key string could not be delivered, and then leaves nothing behind. What it leaves behind
   * otherwise, `abandon` undoes.
   */
  probe(): void | Promise<void>;
  /** Puts the key strings in place. Throws when it cannot. Once `signal` is aborted, nobody waits for it any more. */
  deliver(made: T, signal?: AbortSignal): void | Promise<void>;
  /** Undoes a probe, and a delivery that failed half-way. Not called after a delivery that succeeded. */
  abandon(): void | Promise<void>;
}

/** What delivering needs of whoever makes keys. */
export interface KeyMaker {
  /** Takes a key back that nobody got. */
  takeBack(key: ApiKey): Promise<unknown>;
  readonly takenBack: TakenBack;
  /** Notes that these were handed out, and answers them as they are then. */
  settle(keys: readonly ApiKey[]): Promise<readonly ApiKey[]>;
}

/** What is said of keys that were taken back. */
export interface TakenBack {
  /** What they are then. */
  readonly state: 'disabled' | 'deleted';
  /** What to do next. */
  next(keys: readonly ApiKey[]): string;
  /** What to do about those that could not be taken back. */
  failed(keys: readonly ApiKey[]): string;
}

const idsOf = (keys: readonly ApiKey[]) => keys.map(({ id }) => id).join(' ');

/** Keys of a store are disabled. */
export const DISABLED: TakenBack = {
  state: 'disabled',
  next: (keys) =>
    keys.every(isUndelivered)
      ? `run the command again: a new key takes the place of ${keys.length === 1 ? 'this one' : 'each'}`
      : `delete and create again: unlockos-keys delete ${idsOf(keys)}`,
  failed: (keys) => `run: unlockos-keys disable ${idsOf(keys)}`,
};

/** The same with other keys. */
function mapped<T extends NewKeys>(made: T, change: (key: ApiKey) => ApiKey): T {
  const one = <N extends NewKey>(each: N): N => ({ ...each, key: change(each.key) });
  return (Array.isArray(made) ? (made as readonly NewKey[]).map(one) : one(made as NewKey)) as T;
}

/** The keys of these whose key strings have to reach somebody. */
function keysToDeliver(made: NewKeys): ApiKey[] {
  const all = Array.isArray(made) ? (made as readonly NewKey[]) : [made as NewKey];
  return all.filter(({ keyString }) => keyString !== null).map(({ key }) => key);
}

/** Throws the reason of the signal, as a key that nobody has yet must not be left to somebody who does not wait for it. */
async function untilAborted(work: void | Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * Probes the destination, makes keys, delivers their key strings. This is the only place where keys exist whose key strings nobody has
 * yet: when the delivery fails, or the signal is aborted, those keys are taken back, and `delivery_failed` names them.
 */
export async function deliverNewKeys<T extends NewKeys>(
  destination: Destination<T>,
  make: () => Promise<T>,
  maker: KeyMaker,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  await destination.probe();
  let made: T;
  try {
    signal?.throwIfAborted();
    made = await make();
  } catch (error) {
    await tryAbandon(destination);
    throw error;
  }
  try {
    signal?.throwIfAborted();
    await untilAborted(
      destination.deliver(
        mapped(made, (key) => ({ ...key, labels: withoutPending(key.labels) })),
        signal,
      ),
      signal,
    );
  } catch (cause) {
    const error = await undelivered(keysToDeliver(made), cause, maker);
    const left = await tryAbandon(destination);
    throw left === null
      ? error
      : withMessage(error, `${error.message}; what was written could not be undone (${left})`);
  }
  return settled(made, maker.settle);
}

/** Undoes what was begun. How that failed, or null. */
async function tryAbandon(destination: Destination<never>): Promise<string | null> {
  try {
    await destination.abandon();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Notes that the keys were handed out: they no longer give way to the next of their names. */
async function settled<T extends NewKeys>(made: T, settle: KeyMaker['settle']): Promise<T> {
  const marked = keysToDeliver(made).filter(isUndelivered);
  if (marked.length === 0) return made;
  try {
    const after = new Map((await settle(marked)).map((key) => [key.id, key]));
    return mapped(made, (key) => after.get(key.id) ?? key);
  } catch (error) {
    if (!isKeysError(error)) throw error;
    const ids = marked.map(({ id }) => id).join(', ');
    if (error.code === 'conflict')
      throw new KeysError(
        'delivery_failed',
        `what was delivered does not work: ${error.message} (another run of this command replaced it)`,
        'take the key string of that run, or run the command again',
        { cause: error },
      );
    throw new KeysError(
      error.code,
      `${ids}: delivered and active, but the store could not note that (${error.message})`,
      `until one of them is used, a new key of its name would replace it; to note it: unlockos-keys enable ${ids}`,
      { cause: error },
    );
  }
}

function withMessage(error: KeysError, message: string): KeysError {
  return new KeysError(error.code, message, error.hint, { cause: error.cause });
}

function reasonOf(cause: unknown): string {
  return isKeysError(cause) ? cause.message : ((cause as NodeJS.ErrnoException)?.code ?? 'unknown error');
}

/** Takes the keys back; the error that says so. */
async function undelivered(
  keys: readonly ApiKey[],
  cause: unknown,
  { takeBack, takenBack }: KeyMaker,
): Promise<KeysError> {
  const left: ApiKey[] = [];
  for (const key of keys) await takeBack(key).catch(() => left.push(key));
  const [only] = keys;
  const what = keys.length === 1 && only ? `the key string of ${quoted(only.name)}` : `${keys.length} key strings`;
  const failed = `${what} could not be delivered (${reasonOf(cause)})`;
  const { state } = takenBack;
  if (left.length > 0)
    return new KeysError(
      'delivery_failed',
      `${failed}, and ${left.length === 1 ? 'this key' : 'these keys'} could NOT be ${state}: ${left.map(({ id }) => id).join(', ')}`,
      takenBack.failed(left),
      { cause },
    );
  return new KeysError(
    'delivery_failed',
    `${failed}, so ${keys.length === 1 ? 'the key was' : 'the keys were'} ${state}: ${keys.map(({ id }) => id).join(', ')}`,
    takenBack.next(keys),
    { cause },
  );
}
