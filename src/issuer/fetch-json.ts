import { Agent, request } from 'node:https';

/** Certificates to trust besides those of the system, and how long an answer may take. */
export interface FetchOptions {
  readonly ca?: string | undefined;
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 5000;
const MAX_BYTES = 262_144;

/**
 * Reads a JSON object over HTTPS. Follows no redirect, takes no more than 256 KiB, waits no longer than the time allowed, and rejects
 * with an `Error` whose message says what was wrong, without anything that the server sent.
 */
export function fetchJson(url: URL, { ca, timeoutMs = TIMEOUT_MS }: FetchOptions = {}): Promise<object> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const call = request(url, {
      agent,
      ca,
      headers: { accept: 'application/json' },
      rejectUnauthorized: true, // NODE_TLS_REJECT_UNAUTHORIZED cannot turn this off
    });
    const fail = (what: string) => {
      clearTimeout(timer);
      reject(new Error(what));
      call.destroy();
    };
    const timer = setTimeout(() => fail(`did not answer within ${timeoutMs} ms`), timeoutMs);
    call.once('error', ({ code }: NodeJS.ErrnoException) => fail(`cannot be reached (${code ?? 'unknown error'})`));
    call.once('response', (answer) => {
      const { statusCode = 0 } = answer;
      if (statusCode !== 200) return fail(`answered with status ${statusCode}`);
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        if (size > MAX_BYTES) return fail(`answered with more than ${MAX_BYTES} bytes`);
        parts.push(part);
      });
      answer.once('error', () => fail('broke off its answer'));
      answer.once('close', () => {
        if (!answer.complete) return fail('broke off its answer');
        const object = objectIn(Buffer.concat(parts));
        if (object === null) return fail('did not answer with a JSON object');
        clearTimeout(timer);
        resolve(object);
      });
    });
    call.end();
  });
}

function objectIn(bytes: Buffer): object | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
