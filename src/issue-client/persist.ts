import { randomInt } from 'node:crypto';
import { type HttpResponse, TransportError } from '../http/transport.js';

/** Time, as far as retries need it. */
export interface Clock {
  /** Milliseconds, of which only differences mean something. */
  now(): number;
  /** Rejects with the reason of the signal once that is aborted. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A response with which the request failed. */
export class StatusError extends Error {
  readonly response: HttpResponse;
  constructor(response: HttpResponse) {
    super(`HTTP ${response.status}`);
    this.response = response;
  }
}

/** No connection was made, or the server said that it cannot now: nothing was done, and asking again may help. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TransportError) return error.fault === 'unreachable';
  return error instanceof StatusError && (error.response.status === 429 || error.response.status === 503);
}

/** The server may have done what it was asked for: the answer was lost, or a proxy did not get it. */
export function isLost(error: unknown): boolean {
  if (error instanceof TransportError) return error.fault === 'broken' || error.fault === 'silent';
  return error instanceof StatusError && error.response.status >= 500 && error.response.status !== 503;
}

/** The same, or the server has said that it did, and the rest of that cannot be read. */
export function isLostOrUnreadable(error: unknown): boolean {
  const { fault, status = 0 } = error instanceof TransportError ? error : { fault: null };
  return isLost(error) || (fault === 'garbled' && status >= 200 && status < 300);
}

/** What `Retry-After` asks for, in milliseconds (RFC 9110, 10.2.3); null where it is missing or means nothing. */
export function retryAfterMs({ headers }: HttpResponse): number | null {
  const text = headers['retry-after'] ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const [at, date] = [Date.parse(text), Date.parse(headers.date ?? '')];
  return Number.isNaN(at) || Number.isNaN(date) ? null : Math.max(0, at - date); // by the clock of the server
}

/** Longer after each attempt, and never equally long for two callers that were refused together. */
function backoffMs(attempt: number): number {
  const longest = Math.min(100 * 2 ** attempt, 3200);
  return randomInt(longest / 2, longest);
}

/** How long to wait after an error before asking again: as long as the server says. */
export function waitAfter(error: unknown, attempt: number): number {
  const asked = error instanceof StatusError ? retryAfterMs(error.response) : null;
  return asked === null ? backoffMs(attempt) : asked + randomInt(0, 100);
}

export interface Persistence {
  readonly clock: Clock;
  /** Waits and attempts may take so long together. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether to ask again. */
  mayPass(error: unknown, attempt: number): boolean;
  /** Told before each wait. */
  waits?(error: unknown, ms: number): void;
}

/**
 * Does something again as long as its error may pass and the patience lasts, of which `work` is told what is left. Throws the last error, or
 * the reason of the signal.
 */
export async function persist<T>(work: (leftMs: number) => Promise<T>, how: Persistence): Promise<T> {
  const { clock, signal } = how;
  const end = clock.now() + how.patienceMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(end - clock.now());
    } catch (error) {
      const ms = waitAfter(error, attempt);
      if (signal?.aborted || !how.mayPass(error, attempt) || clock.now() + ms > end) throw error;
      how.waits?.(error, ms);
      await clock.wait(ms, signal);
    }
  }
}
