import { randomUUID } from 'node:crypto';
import { isKeysError, KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';
import { elapsed, sleep, startTimer, stopTimer } from '../domain/real-time.js';
import { SPAN_GAP_MS, type Use, type UseReport } from '../domain/use.js';
import type { Moment } from './moment.js';
import { type RefusalVerdict, UsePages } from './use-pages.js';

const FLUSH_EVERY_MS = 5000;
/** A store that refuses writes is asked again only after this many milliseconds. */
const REFUSED_EVERY_MS = 60_000;
/** A server without requests reports as well, so that the store knows that it is there. */
const BEAT_EVERY_MS = 60_000;
/** What is counted is written before its time only where it would take much memory: with many busy keys, one write after the other otherwise. */
const FLUSH_AT = 50_000;
/** How much goes into one report: a local store writes it in a few milliseconds, in which this thread does nothing else. */
const MAX_USES = 1000;
/** After this many failures a report is dropped, because it would hold up all others. */
const MAX_FAILURES = 10;
/** How long the start and `close` try to write while another process holds the store's lock. */
const LOCKED_MS = 3000;
const RETRY_MS = 50;

/** What a recorder is made with. */
export interface UseRecorderOptions {
  /** The name of this machine, for people. */
  readonly host: string;
  /** False: only report that this server is there. */
  readonly records: boolean;
  /** Called when use cannot be recorded: once, until it can be again. */
  readonly onWarning: (warning: KeysError) => void;
  readonly now: () => number;
}

/**
 * Collects which keys were used and refused, and reports it in batches, a few seconds later. A verification does not wait for that and does not
 * fail with it. What the store did not take waits for the next time, in memory: a key, a day and a verdict take one place, however often they
 * occur. A killed process loses at most the last seconds. A report counts once, however often it is sent.
 */
export class UseRecorder {
  readonly #store: KeyStore;
  readonly #options: UseRecorderOptions;
  readonly #recorder: { readonly id: string; readonly host: string };
  readonly #pages = new UsePages();
  /** Reports that were made and are not known to have arrived. They are sent as they are, so that none counts twice. */
  #unsent: { report: UseReport; upTo: Moment }[] = [];
  #batch = 0;
  /** Up to when all use has been reported. */
  #reported: Moment;
  #timer: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #problem: KeysError | null = null;
  #failuresInARow = 0;
  #warned = false;
  #starting = false;
  #ended = false;
  #stopped = false;
  /** How many writes failed. */
  failures = 0;

  constructor(store: KeyStore, options: UseRecorderOptions) {
    this.#store = store;
    this.#options = options;
    this.#recorder = { id: randomUUID(), host: options.host };
    this.#reported = this.#now();
  }

  #now(): Moment {
    return { wall: this.#options.now(), real: elapsed() };
  }

  /** `at`: milliseconds since the epoch. */
  used(keyId: string, at: number): void {
    if (!this.#pages.used(keyId, at)) this.#begun();
  }

  refused(verdict: RefusalVerdict, at: number): void {
    if (!this.#pages.refused(verdict, at)) this.#begun();
  }

  /** Something was noted that has to be written. */
  #begun(): void {
    if (this.#pages.size >= FLUSH_AT && this.#failuresInARow === 0) void this.flush();
    else this.#schedule();
  }

  /**
   * Announces this server to the store, which finds out whether it may write there. Throws `marks_refused` if not, and what a store throws that
   * cannot be used at all. A store that is locked or does not answer is a warning: it may be back soon.
   */
  async start(): Promise<void> {
    this.#scheduleBeat();
    if (!this.#options.records) return void this.#report(); // nobody waits for it, and nothing is lost if it fails
    this.#starting = true;
    const began = elapsed();
    await this.#report();
    while (isKeysError(this.#problem, 'store_busy') && elapsed() - began < LOCKED_MS) {
      await sleep(RETRY_MS);
      await this.#report();
    }
    this.#starting = false;
    const problem = this.#problem;
    if (problem === null) return;
    if (isKeysError(problem, 'store_busy', 'store_unavailable', 'store_full', 'outcome_unknown'))
      return this.#warn(problem);
    this.stop();
    if (isKeysError(problem, 'store_read_only', 'unauthorized')) throw await this.#refusal(problem);
    throw problem;
  }

  /** A token that is refused altogether is another fault than one that may not write. */
  async #refusal(cause: KeysError): Promise<unknown> {
    try {
      await this.#store.audit.head();
    } catch (error) {
      return error;
    }
    return new KeysError(
      'marks_refused',
      `this server may not write to the store ${this.#store.location}, so nobody would know when its keys are used`,
      'give it the rights that docs/api-server.md lists; or let it record nothing: markUsed: false, serve --no-marks',
      { cause },
    );
  }

  /** Writes what is pending. Never rejects. */
  async flush(): Promise<void> {
    return this.#report({ unlessEmpty: true });
  }

  #scheduleBeat(): void {
    this.#beat = startTimer(() => {
      this.#scheduleBeat();
      void this.#report();
    }, BEAT_EVERY_MS).unref();
  }

  /** Writes what is pending, and tries again for a while if the store is locked. Never rejects. */
  async close(): Promise<void> {
    this.stop();
    const start = elapsed();
    if (!this.#options.records && this.#problem !== null) return;
    await this.#report({ ended: true });
    while (isKeysError(this.#problem, 'store_busy') && elapsed() - start < LOCKED_MS) {
      await sleep(RETRY_MS);
      await this.#report({ ended: true });
    }
  }

  /** Reports no more by itself. */
  stop(): void {
    stopTimer(this.#timer);
    stopTimer(this.#beat);
    this.#timer = undefined;
    this.#stopped = true;
  }

  #report(how: { unlessEmpty?: boolean; ended?: boolean } = {}): Promise<void> {
    stopTimer(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#send(how));
    return this.#writing;
  }

  async #send({ unlessEmpty = false, ended = false }: { unlessEmpty?: boolean; ended?: boolean }): Promise<void> {
    if (await this.#sendUnsent()) {
      const uses = this.#pages.take();
      if (uses.length > 0 || (ended ? !this.#ended : !unlessEmpty)) {
        this.#ended ||= ended;
        this.#unsent = this.#reportsOf(uses, ended);
        await this.#sendUnsent();
      }
    }
    if (this.#unsent.length > 0 || this.#pages.size > 0) this.#schedule();
  }

  /** False when something is left. */
  async #sendUnsent(): Promise<boolean> {
    for (let first = this.#unsent[0]; first; first = this.#unsent[0]) {
      try {
        await this.#store.use.record(first.report);
      } catch (error) {
        this.#failed(error);
        return false;
      }
      this.#unsent.shift();
      this.#reported = first.upTo;
      this.#problem = null;
      this.#failuresInARow = 0;
      this.#warned = false;
      if (this.#unsent.length > 0) await sleep(0); // requests have their turn
    }
    return true;
  }

  #reportsOf(uses: readonly Use[], ended: boolean): { report: UseReport; upTo: Moment }[] {
    const { records } = this.#options;
    const now = this.#now();
    const passed = now.real - this.#reported.real;
    // A clock that was set ahead since: in the time that it passed over nobody recorded.
    const isSet = now.wall - this.#reported.wall > passed + SPAN_GAP_MS;
    const since = isSet ? { wall: now.wall - Math.round(passed), real: this.#reported.real } : this.#reported;
    const reports: { report: UseReport; upTo: Moment }[] = [];
    for (let from = 0; from === 0 || from < uses.length; from += MAX_USES) {
      const isLast = from + MAX_USES >= uses.length;
      const upTo = isLast ? now : since;
      const report = {
        recorder: this.#recorder,
        records,
        batch: ++this.#batch,
        from: new Date(since.wall),
        at: new Date(upTo.wall),
        ended: ended && isLast,
        uses: uses.slice(from, from + MAX_USES),
      };
      reports.push({ report, upTo });
    }
    return reports;
  }

  #failed(error: unknown): void {
    this.failures += 1;
    this.#failuresInARow += 1;
    this.#problem = isKeysError(error)
      ? error
      : new KeysError('internal', 'the use of keys could not be written', undefined, { cause: error });
    const { code } = this.#problem;
    // One attempt that met another process's lock is not an outage.
    if (!this.#starting && (code !== 'store_busy' || this.#failuresInARow >= 3)) this.#warn(this.#problem);
    if (this.#failuresInARow >= MAX_FAILURES && ['usage', 'conflict', 'internal'].includes(code)) this.#unsent.shift();
  }

  #warn(problem: KeysError): void {
    if (this.#warned || !this.#options.records) return;
    this.#warned = true;
    const warning = new KeysError(
      problem.code,
      `the use of keys cannot be recorded: ${problem.message}`,
      'keys are checked all the same; what is in memory is written when the store takes it, and lost when this process ends before',
      { cause: problem },
    );
    try {
      this.#options.onWarning(warning);
    } catch {
      // a warning that cannot be given must not stop the next report
    }
  }

  #schedule(): void {
    if (this.#stopped) return; // a report that was on the way may have failed since
    const isRefused = isKeysError(this.#problem, 'store_read_only', 'unauthorized');
    const after = isRefused ? REFUSED_EVERY_MS : FLUSH_EVERY_MS;
    this.#timer ??= startTimer(() => void this.flush(), after).unref();
  }
}
