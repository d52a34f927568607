import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';

const MAX_HOPS = 9;

/**
 * Reads `x-forwarded-for:N`: the client is the N-th address from the right. The last one was put there by the proxy that asks, the one before by the
 * proxy in front of that, and what is left of those that we know may have been sent by the client. Throws `usage`.
 */
export function readClientAddress(text: string): number {
  const hops = /^x-forwarded-for:([1-9])$/i.exec(text)?.[1];
  if (hops === undefined)
    throw new KeysError(
      'usage',
      `--client-address ${quoted(text)} is unknown`,
      `x-forwarded-for:1 where one proxy is in front, and up to :${MAX_HOPS} for as many in a row`,
    );
  return Number(hops);
}

/** The text that the `hops`-th proxy, counted from us, put into X-Forwarded-For; undefined where the header names fewer. `lines`: all of its values. */
export function forwardedFor(lines: readonly string[], hops: number): string | undefined {
  const all = lines.join(',');
  let end = all.length;
  for (let hop = 1; end >= 0; hop++) {
    const comma = all.lastIndexOf(',', end - 1);
    const start = end === 0 ? -1 : comma;
    if (hop === hops) return all.slice(start + 1, end).replace(/^[ \t]+|[ \t]+$/g, '');
    end = start;
  }
  return undefined;
}
