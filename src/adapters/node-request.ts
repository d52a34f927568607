import type { IncomingMessage } from 'node:http';
import type { KeyPlaces } from './authorization.js';

/**
 * Where a key may be in a request of `node:http` (or the compatible one of `node:http2`). Node keeps the first of several `Authorization`
 * fields and drops the others without a word, so that they are counted as they came over the wire.
 */
export function placesIn({ headers, rawHeaders, url }: IncomingMessage): KeyPlaces {
  const sent = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization').length;
  const { authorization } = headers;
  return {
    authorization: sent > 1 && authorization !== undefined ? Array(sent).fill(authorization) : authorization,
    xApiKey: headers['x-api-key'],
    url,
  };
}
