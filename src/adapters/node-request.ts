import type { IncomingMessage } from 'node:http';
import type { KeySources } from '../http/authorization.js';

/**
 * Reads a request of `node:http`, or a compatible one of `node:http2`. Of several `Authorization` fields Node keeps the first and silently
 * drops the others, so they are counted in the raw headers.
 */
export function keySources({ headers, rawHeaders, url }: IncomingMessage): KeySources {
  const sent = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization').length;
  const { authorization } = headers;
  return {
    authorization: sent > 1 && authorization !== undefined ? Array(sent).fill(authorization) : authorization,
    xApiKey: headers['x-api-key'],
    url,
  };
}
