import { randomInt } from 'node:crypto';
import { KeysError } from '../../domain/errors.js';
import { sleep } from '../../domain/real-time.js';
import { Transport } from '../../http/transport.js';
import { monotonic } from '../monotonic.js';
import { decoded, guardedQuery } from '../text-guard.js';
import type { RemoteAddress } from './address.js';
import { isPassing, isUnreadableText, StatusError, stepRefusal, translateFault } from './faults.js';
import {
  answerBytes,
  type BatchResult,
  decodeBatch,
  decodeDescriptions,
  encodeBatch,
  encodeDescriptions,
  type Step,
  type StepError,
} from './hrana.js';

/** More than the names and types of a statement's columns. */
const DESCRIPTION_BYTES = 65_536;

/** How often a request is sent again after a fault that may pass. */
export const RETRIES = 3;

/** Waits longer after each attempt, and never equally long for two callers that were refused together. */
export function pause(attempt: number): Promise<void> {
  const longest = Math.min(50 * 2 ** attempt, 800);
  return sleep(randomInt(longest / 2, longest));
}

/** How many rows a query may have that says nothing of it. */
function mostOf(guard: string | null | undefined): number | undefined {
  return guard ? Number.POSITIVE_INFINITY : undefined;
}

/** Sends batches to one libSQL server, each as one HTTP request. */
export class RemoteConnection {
  readonly address: RemoteAddress;
  readonly token: string | undefined;
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  #closed = false;

  /** `timeoutMs`: how long to wait for one answer, in milliseconds. */
  constructor(address: RemoteAddress, token: string | undefined, timeoutMs: number) {
    this.address = address;
    this.token = token;
    this.#timeoutMs = timeoutMs;
    this.#transport = new Transport(address, timeoutMs);
  }

  get location(): string {
    return this.address.location;
  }

  /** Sends a batch once. Throws the errors that `faults.ts` knows, and `store_unavailable` once the connection is closed. */
  async send(steps: readonly Step[], token = this.token): Promise<BatchResult> {
    return decodeBatch(await this.#post(encodeBatch(steps), answerBytes(steps), token), steps.length);
  }

  async #post(body: string, bytes: number, token: string | undefined): Promise<string> {
    if (this.#closed) throw new KeysError('store_unavailable', 'the store was closed', 'open it again');
    const response = await this.#transport.send({ method: 'POST', path: this.address.path, body, token }, bytes);
    if (response.status !== 200) throw new StatusError(response);
    return response.text;
  }

  /** {@link send} for a batch that may be carried out twice: one row with text that is not UTF-8 must not spoil all the others. */
  async read(steps: readonly Step[], token = this.token): Promise<BatchResult> {
    try {
      return await this.send(steps, token);
    } catch (error) {
      if (!isUnreadableText(error)) throw error;
    }
    const asked = encodeDescriptions(steps);
    const described = await this.#post(asked, DESCRIPTION_BYTES * (1 + steps.length), token);
    const columns = decodeDescriptions(described, steps.length);
    const guards = steps.map(({ sql }, i) => guardedQuery(sql, columns[i] as number));
    const { steps: answers, errors } = await this.send(
      steps.map((step, i) => ({ ...step, sql: guards[i] ?? step.sql, most: step.most ?? mostOf(guards[i]) })),
      token,
    );
    return { steps: answers.map((rows, i) => (rows && guards[i] ? decoded(rows) : rows)), errors };
  }

  /**
   * Sends a batch, and sends it again after a fault that may pass, as long as an answer may take: only for batches that may be carried out
   * twice.
   */
  async ask(steps: readonly Step[]): Promise<BatchResult> {
    const deadline = monotonic() + this.#timeoutMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.read(steps);
      } catch (error) {
        if (!isPassing(error) || attempt > RETRIES || monotonic() >= deadline) throw error;
        await pause(attempt);
      }
    }
  }

  /** The error of a step as a `KeysError`. */
  refusal(error: StepError): KeysError {
    return stepRefusal(error, this.location, this.token);
  }

  /** Any error as a `KeysError` that names the store and no token. */
  translate(error: unknown): unknown {
    return translateFault(error, this.location, this.token);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#transport.close();
  }
}
