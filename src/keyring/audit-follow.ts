import { setTimeout as after } from 'node:timers/promises';
import type { AuditPage, AuditPosition, AuditQuery, ChainedEvent } from '../domain/audit-side.js';
import { isKeysError, type KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';

const PAGE = 1000;
/** The store may answer again. */
const PASSING = ['store_busy', 'store_unavailable', 'store_missing'] as const;

/** How to follow a log. */
export interface FollowOptions {
  /** Only these events. Default: all. */
  readonly query?: Omit<AuditQuery, 'limit'> | undefined;
  /** How often to look, from 100 ms to an hour. Default: 1000. A look at a local store takes microseconds, at a server a request. */
  readonly intervalMs?: number | undefined;
  /** Ends it. Default: it goes on for ever. */
  readonly signal?: AbortSignal | undefined;
  /** Told once when a store that answered before does not answer, and with null when it does again. */
  readonly onTrouble?: ((error: KeysError | null) => void) | undefined;
}

/** What `work` resolves to; undefined as soon as the signal is aborted. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const end = () => resolve(undefined);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

/**
 * Hands over the rows after `from`, and each that is added, once and in order, until the signal. Every page is read together with the row
 * before it, which must still be there: a store that was replaced or went back is noticed before any row of it is handed over.
 */
export async function followAudit(
  store: KeyStore,
  from: AuditPosition,
  take: (events: readonly ChainedEvent[]) => unknown,
  { query = {}, intervalMs = 1000, signal, onTrouble }: FollowOptions,
): Promise<void> {
  let at = from;
  let seen: number | null = null;
  let inTrouble = false;
  /** The next page; null when nothing changed, or the store does not answer. */
  const look = async (): Promise<AuditPage | null | undefined> => {
    try {
      const version = store.version(); // before the page: what is added meanwhile changes it again
      if (version !== null && version === seen && !inTrouble) return null;
      const page = await unlessAborted(store.audit.page(at, query, PAGE), signal);
      if (inTrouble) onTrouble?.(null);
      inTrouble = false;
      seen = page?.more ? null : version;
      return page;
    } catch (error) {
      if (at === from || !isKeysError(error, ...PASSING)) throw error;
      if (!inTrouble) onTrouble?.(error);
      inTrouble = true;
      return null;
    }
  };
  while (!signal?.aborted) {
    const page = await look();
    if (page === undefined) return;
    if (page !== null && page.events.length > 0) await unlessAborted(Promise.resolve(take(page.events)), signal);
    if (page !== null) at = page.next;
    if (!page?.more) await after(intervalMs, undefined, { signal }).catch(() => {});
  }
}
