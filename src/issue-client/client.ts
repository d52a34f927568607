import { KeysError } from '../domain/errors.js';
import { durationMs, LONGEST_JOB_MS } from '../domain/expiry.js';
import { type HttpRequest, type HttpResponse, Transport, TransportError } from '../http/transport.js';
import type { IssueAddress } from './address.js';
import { holdsObject, type IssuedKey, type KeyRequest, readIssuedKey, readProblem, WrongAnswer } from './answers.js';
import type { IdTokens } from './id-token.js';
import { type Clock, isLostOrUnreadable, isPassing, persist, StatusError } from './persist.js';
import { type Asked, problemCode, translated } from './refusals.js';

/** No answer of the server is longer. */
const MAX_BYTES = 65_536;
/** For a server that is busy: as long as a job may wait. */
const CREATE_PATIENCE_MS = 60_000;
const CREATE_ATTEMPTS = 8;
/** A job that is cancelled has only seconds: for a token, all attempts and all waits together, unless somebody waits longer for one answer. */
const DELETE_PATIENCE_MS = 10_000;
const DELETE_ATTEMPTS = 4;
/** How long to wait for another token to delete a key with, while there is the one that it was made with. */
const FRESH_TOKEN_MS = 5000;
/** How long an interrupted job waits for an answer that is under way: with it, the key can be deleted. */
const LAST_ANSWER_MS = 3000;

export interface IssueClientOptions {
  readonly address: IssueAddress;
  readonly tokens: IdTokens;
  readonly audience: string;
  /** How long to wait for one answer. */
  readonly timeoutMs: number;
  readonly userAgent: string;
  readonly now: () => Date;
  readonly clock: Clock;
  /** Told what a person may want to know while it goes on. */
  readonly note: (text: string) => void;
  /** Told of a key that nobody has. */
  readonly warn: (text: string) => void;
  /** Called when a server was asked for a key, before it answers. */
  readonly asked?: (() => void) | undefined;
}

/** Asks one server for keys, and to delete them, as the job that the ID tokens stand for. */
export class IssueClient {
  readonly #options: IssueClientOptions;
  readonly #transport: Transport;
  /** The token of the last request. */
  #token: string | undefined;
  /** An answer was lost, so that the server may have made a key that nobody has. */
  #lost = false;
  /** The next request brings the token of the lost one again: each gives one key, so its answer tells whether there is such a key. */
  #asksAgain = false;
  /** What becomes of such a key. */
  #end = 'expires by itself';

  constructor(options: IssueClientOptions) {
    this.#options = options;
    this.#transport = new Transport(options.address, options.timeoutMs);
  }

  get location(): string {
    return this.#options.address.location;
  }

  /**
   * Asks for a key. A server that is busy is asked again for up to a minute, and one whose answer was lost once more: a key that it has made
   * then is deleted, or expires by itself. Throws `unauthorized`, `guarded` or `issue_unavailable`, and `cancelled` once the signal is aborted.
   */
  async create(request: KeyRequest, signal?: AbortSignal): Promise<IssuedKey> {
    const { clock, note, warn } = this.#options;
    this.#lost = false;
    this.#asksAgain = false;
    this.#end = 'expires by itself';
    const mayPass = (error: unknown, attempt: number) => {
      if (isPassing(error)) return attempt < CREATE_ATTEMPTS;
      if (!isLostOrUnreadable(error) || this.#lost) return false;
      this.#lost = true;
      this.#asksAgain = true;
      warn(`${this.#lostText(error)}; asking again`);
      return true;
    };
    const waits = (error: unknown, ms: number) => {
      if (isPassing(error)) note(`${this.#words(error)}; asking again in ${Math.max(1, Math.round(ms / 1000))} s`);
    };
    try {
      const response = await persist(() => this.#askOnce(request, signal), {
        clock,
        patienceMs: CREATE_PATIENCE_MS,
        signal,
        mayPass,
        waits,
      });
      return await this.#accept(response, request);
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }

  /** Asks with another token where the one of a lost answer gives no key any more. */
  async #askOnce(request: KeyRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    try {
      return await this.#ask(request, signal);
    } catch (error) {
      const code = problemCode(error);
      if (!this.#asksAgain || (code !== 'token_replayed' && code !== 'token_expired')) throw error;
      if (code === 'token_replayed' && error instanceof StatusError) await this.#deleteLost(error.response);
      if (!this.#options.tokens.renewed) throw error;
      this.#asksAgain = false;
      return this.#ask(request, signal);
    }
  }

  /** Deletes the key of a lost answer, if the server names it: it was made for this very job. */
  async #deleteLost(response: HttpResponse): Promise<void> {
    const { keyId } = readProblem(response);
    if (keyId === null) return;
    try {
      await this.delete(keyId);
      this.#end = 'was deleted';
      this.#options.note(`Deleted key ${keyId}, which ${this.location} had created and nobody got`);
    } catch {
      // it expires by itself
    }
  }

  async #ask({ scopes, ttl }: KeyRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    if (!this.#asksAgain) this.#token = await this.#options.tokens.next(signal);
    signal?.throwIfAborted();
    const body = JSON.stringify({ scopes, ...(ttl !== undefined && { ttl }) });
    const patience = lastAnswer(signal, this.#options.clock);
    try {
      const { address, asked } = this.#options;
      const { path } = address;
      const response = await this.#send({ method: 'POST', path, body, signal: patience.signal, sent: asked });
      if (response.status !== 201) throw new StatusError(response);
      if (!holdsObject(response)) throw new TransportError('garbled', 'it is not a JSON object', response.status);
      return response;
    } finally {
      patience.end();
    }
  }

  /** Takes no key but the one that was asked for; another is deleted. */
  async #accept(response: HttpResponse, request: KeyRequest): Promise<IssuedKey> {
    const longestMs = Math.min(
      (request.ttl !== undefined && durationMs(request.ttl)) || LONGEST_JOB_MS,
      LONGEST_JOB_MS,
    );
    try {
      return readIssuedKey(response, request, { now: this.#options.now(), longestMs });
    } catch (error) {
      if (!(error instanceof WrongAnswer)) throw error;
      const left: string[] = [];
      for (const id of error.ids) await this.delete(id).catch(() => left.push(id));
      const end =
        left.length > 0
          ? `the key in it could NOT be deleted: ${left.join(', ')}`
          : error.ids.length > 0
            ? `the key in it was deleted: ${error.ids.join(', ')}`
            : 'a key that it may have created expires by itself';
      throw new KeysError(
        'issue_unavailable',
        `${this.location} did not answer as it was asked (${error.message}): no key was taken, and ${end}`,
        'check the address; the server is another one, or its version does not fit',
      );
    }
  }

  /**
   * Deletes a key of this job; one that is gone is deleted. Asks with another token than before where there is one. Throws as
   * {@link create} does.
   */
  async delete(id: string): Promise<void> {
    const { address, clock, tokens, timeoutMs } = this.#options;
    const path = `${address.path}/${id}`;
    const mayPass = (error: unknown, attempt: number) =>
      attempt < DELETE_ATTEMPTS && (isPassing(error) || isLostOrUnreadable(error));
    const end = clock.now() + Math.max(DELETE_PATIENCE_MS, timeoutMs);
    try {
      const limit = tokens.renewed ? AbortSignal.timeout(FRESH_TOKEN_MS) : undefined;
      this.#token = await tokens.next(limit).catch((error: unknown) => {
        if (this.#token === undefined) throw error;
        return this.#token; // the one that the key was made with
      });
      const remove = async (leftMs: number) => {
        const response = await this.#send({ method: 'DELETE', path, timeoutMs: leftMs });
        if (response.status !== 204) throw new StatusError(response);
      };
      await persist(remove, { clock, patienceMs: end - clock.now(), mayPass });
    } catch (error) {
      throw translated(error, { ...this.#asked, action: 'delete' });
    }
  }

  #send(request: Omit<HttpRequest, 'token' | 'headers'>) {
    const headers = { accept: 'application/json, application/problem+json', 'user-agent': this.#options.userAgent };
    return this.#transport.send({ ...request, token: this.#token, headers }, MAX_BYTES);
  }

  get #asked(): Asked {
    const { audience, tokens } = this.#options;
    const secrets = this.#token === undefined ? [] : [this.#token];
    return { location: this.location, audience, source: tokens.source, secrets, action: 'create' };
  }

  #words(error: unknown): string {
    const known = translated(error, this.#asked);
    return known instanceof KeysError ? known.message : 'unknown error';
  }

  #lostText(error: unknown): string {
    return `${this.#words(error)}: it may have created a key that nobody has, and that expires by itself`;
  }

  /** The error of a request for a key, with what is known of a key that nobody has. */
  #failure(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted && (isLostOrUnreadable(error) || this.#lost))
      return new KeysError(
        'cancelled',
        `${signal.reason instanceof Error ? signal.reason.message : 'cancelled'} before the answer of ${this.location} came`,
        `a key that it may have created ${this.#end}`,
        { cause: signal.reason },
      );
    if (signal?.aborted) return signal.reason;
    const known = translated(error, this.#asked);
    if (!(known instanceof KeysError)) return known;
    if (isLostOrUnreadable(error))
      return new KeysError(known.code, this.#lostText(error), 'try again', { cause: known });
    if (this.#lost && problemCode(error) === 'token_replayed')
      return new KeysError(
        'issue_unavailable',
        `${this.location} created a key, but its answer was lost; that key ${this.#end}`,
        `try again with another ID token: each gives one key, and this one came from ${this.#options.tokens.source}`,
        { cause: known },
      );
    return known;
  }
}

/** A signal that is aborted some time after another. */
function lastAnswer(signal: AbortSignal | undefined, clock: Clock): { signal: AbortSignal; end(): void } {
  const late = new AbortController();
  let over: AbortController | undefined; // to abort one for every answer would cost a run half a millisecond
  const start = () => {
    over = new AbortController();
    clock.wait(LAST_ANSWER_MS, over.signal).then(
      () => late.abort(),
      () => {}, // the answer came
    );
  };
  signal?.addEventListener('abort', start, { once: true });
  return {
    signal: late.signal,
    end() {
      over?.abort();
      signal?.removeEventListener('abort', start);
    },
  };
}
