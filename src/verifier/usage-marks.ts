import { isKeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';

const FLUSH_EVERY_MS = 5000;
const FLUSH_AT = 1000;

/**
 * When keys were last used, gathered and written a few seconds late: a verification neither waits for it nor fails with it. What a killed
 * process had gathered is lost, at most the last seconds; the store lets marks only move forward.
 */
export class UsageMarks {
  readonly #store: KeyStore;
  #marks = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #given = false;
  /** Attempts to write that failed; their marks are kept for the next. */
  failures = 0;

  constructor(store: KeyStore) {
    this.#store = store;
  }

  mark(keyId: string, at: number): void {
    if (this.#given) return;
    this.#marks.set(keyId, at);
    if (this.#marks.size >= FLUSH_AT) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS).unref();
  }

  /** Writes what there is. Never throws. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const marks = this.#marks;
    this.#marks = new Map();
    this.#writing = this.#writing.then(() => this.#write(marks));
    return this.#writing;
  }

  async #write(marks: Map<string, number>): Promise<void> {
    if (marks.size === 0 || this.#given) return;
    try {
      await this.#store.markUsed([...marks].map(([id, at]) => ({ id, at: new Date(at) })));
    } catch (error) {
      this.failures += 1;
      // With a token that may only read it will never come off: the verifier goes on without marks.
      if (isKeysError(error, 'unauthorized', 'store_read_only')) this.#given = true;
      else this.#keep(marks);
    }
  }

  #keep(marks: Map<string, number>): void {
    for (const [id, at] of marks) this.#marks.set(id, Math.max(at, this.#marks.get(id) ?? 0));
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS).unref();
  }
}
