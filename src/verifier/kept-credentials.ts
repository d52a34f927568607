import type { Credential } from '../domain/credential.js';
import type { CredentialAt, LogStep, WatchSide } from '../domain/watch.js';
import { makeRoom } from './make-room.js';
import { age, type Moment } from './moment.js';

/** The store is asked again before what is known is too old, so that requests seldom wait for the answer. */
const ASK_AT = 0.9;
/** A request joins a question that was sent at most so long before: if one answer is lost, only these requests wait for it in vain. */
const JOIN_MS = 250;
/** Every row is read again within this time, whatever the audit log says: somebody may have changed it with SQL. */
const MAX_ROW_MS = 60_000;
/** A row of this age is read again together with others, so that few grow too old. */
const REREAD_AT_MS = 45_000;
/** Rows for each such read: the answer is parsed in about a millisecond. */
const REREAD_ROWS = 100;
/** How often it is looked whether there are any. */
const REREAD_EVERY_MS = 1000;
/** A key that nobody has used for this long is read again when it is used. */
const IDLE_MS = 300_000;

interface Kept {
  readonly credential: Credential;
  /** When the row was asked for. */
  readonly at: Moment;
  /** A head of the audit log at which the row was as it is here. */
  head: string | null;
  /** When a request used it last. */
  usedAt: Moment;
}

interface Question {
  readonly at: Moment;
  readonly answer: Promise<void>;
}

/**
 * Credentials of a remote store, for `maxStaleMs` each. One question after the rows of the audit log since the head that is known extends that for
 * all of them but the keys that these rows name. It is asked when a request comes, never by a timer. All times count from when
 * something was asked, not from its answer.
 */
export class KeptCredentials {
  readonly #watch: WatchSide;
  readonly #maxStaleMs: number;
  readonly #clock: () => Moment;
  /** In the order in which they were read. */
  readonly #entries = new Map<string, Kept>();
  /** Where the audit log ended when the store was asked at `#headAt`. Null until a row is read. */
  #head: string | null = null;
  #headAt: Moment = { wall: 0, real: 0 };
  #question: Question | null = null;
  #rereading = false;
  #lookedAt: Moment = { wall: 0, real: 0 };

  constructor(watch: WatchSide, maxStaleMs: number, clock: () => Moment) {
    this.#watch = watch;
    this.#maxStaleMs = maxStaleMs;
    this.#clock = clock;
  }

  /** What is kept, at once or after a question; null for what must be read. Rejects when the store does not answer the question. */
  credential(id: string, at: Moment): Credential | null | Promise<Credential | null> {
    if (age(this.#lookedAt, at) >= REREAD_EVERY_MS) void this.#rereadDue(at);
    const entry = this.#entries.get(id);
    const isUsable = entry !== undefined && age(entry.at, at) <= MAX_ROW_MS;
    if (!isUsable) return null;
    entry.usedAt = at;
    const stale = age(this.#trueAt(entry), at);
    if (stale <= this.#maxStaleMs * ASK_AT) return entry.credential;
    if (!this.#mayBeExtended(entry)) return stale <= this.#maxStaleMs ? entry.credential : null;
    if (!(stale <= this.#maxStaleMs)) return this.#askFor(id, at);
    this.#ask(at).catch(() => {}); // whoever has to wait for an answer asks again
    return entry.credential;
  }

  /** Reads a credential, and keeps it. Null: there is no such key. */
  async read(id: string): Promise<Credential | null> {
    const at = this.#clock();
    const found = (await this.#watch.credentials([id])).get(id);
    this.#keep(id, found, at, at);
    return found?.credential ?? null;
  }

  /** The latest moment of which it is known that the store held this row. */
  #trueAt(entry: Kept): Moment {
    const isLatest = entry.head !== null && entry.head === this.#head;
    return isLatest && this.#headAt.real > entry.at.real ? this.#headAt : entry.at;
  }

  /** False for a row of a head that no answer will mention: not the latest known, and read before that was asked for. */
  #mayBeExtended(entry: Kept): boolean {
    return entry.head !== null && (entry.head === this.#head || entry.at.real > this.#headAt.real);
  }

  async #askFor(id: string, at: Moment): Promise<Credential | null> {
    await this.#ask(at);
    const entry = this.#entries.get(id);
    return entry && age(this.#trueAt(entry), at) <= this.#maxStaleMs ? entry.credential : null;
  }

  #ask(at: Moment): Promise<void> {
    const joinable = Math.min(JOIN_MS, this.#maxStaleMs);
    if (this.#question && age(this.#question.at, at) <= joinable) return this.#question.answer;
    const sent = this.#clock();
    const question = { at: sent, answer: this.#learn(sent) };
    this.#question = question;
    const over = () => {
      if (this.#question === question) this.#question = null;
    };
    question.answer.then(over, over);
    return question.answer;
  }

  async #learn(at: Moment): Promise<void> {
    const head = this.#head;
    if (head === null) return;
    const steps = (await this.#watch.since(head)) ?? [];
    const last = steps.at(-1)?.head ?? null;
    if (this.#head !== head) return; // another question was answered first
    if (last === null) return this.#forgetAll();
    if (steps.length > 1) this.#follow(steps);
    this.#learned(last, at);
  }

  /** Brings what is kept from one head to the next: what was read at a head since then, and was not changed after it, is still true. */
  #follow(steps: readonly LogStep[]): void {
    const places = new Map(steps.map(({ head }, place) => [head, place]));
    const changed = new Map(steps.map(({ keyId }, place) => [keyId, place])); // null: whatever is about no key may be about all
    const last = steps.at(-1)?.head ?? null;
    for (const [id, entry] of this.#entries) {
      const place = entry.head === null ? undefined : places.get(entry.head);
      if (place === undefined) continue;
      if (Math.max(changed.get(id) ?? 0, changed.get(null) ?? 0) > place) this.#entries.delete(id);
      else entry.head = last;
    }
  }

  #learned(head: string, at: Moment): void {
    if (head !== this.#head || at.real > this.#headAt.real) this.#headAt = at;
    this.#head = head;
  }

  #forgetAll(): void {
    this.#entries.clear();
    this.#head = null;
  }

  #keep(id: string, found: CredentialAt | undefined, at: Moment, usedAt: Moment): void {
    const earlier = this.#entries.get(id);
    if (earlier && earlier.at.real > at.real) return; // a later question was answered first
    this.#entries.delete(id);
    if (found === undefined) return;
    makeRoom(this.#entries);
    const { credential, head } = found;
    this.#entries.set(id, { credential, at, head: head === this.#head ? this.#head : head, usedAt }); // one string for all
    if (head !== null && (this.#head === null || head === this.#head)) this.#learned(head, at);
  }

  /** Reads the rows again that will soon be too old, if they are in use. Nobody waits for it. */
  async #rereadDue(now: Moment): Promise<void> {
    this.#lookedAt = now;
    if (this.#rereading) return;
    this.#rereading = true;
    try {
      for (let at = now, due = this.#due(at); due.size > 0; at = this.#clock(), due = this.#due(at)) {
        const found = await this.#watch.credentials([...due.keys()]);
        for (const [id, { usedAt }] of due) this.#keep(id, found.get(id), at, usedAt);
      }
    } catch {
      // tried again a second later; a row that grows too old meanwhile is read when it is needed
    } finally {
      this.#rereading = false;
    }
  }

  #due(now: Moment): Map<string, Kept> {
    const due = new Map<string, Kept>();
    for (const [id, entry] of this.#entries) {
      if (due.size === REREAD_ROWS || age(entry.at, now) < REREAD_AT_MS) break;
      if (age(entry.usedAt, now) > IDLE_MS) this.#entries.delete(id);
      else due.set(id, entry);
    }
    return due;
  }
}
