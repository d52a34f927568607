import type { ApiKey } from '../domain/api-key.js';

/** One list per record of a key, because building it is a good part of the time that a request takes. */
const known = new WeakMap<ApiKey, readonly string[]>();

/** What the upstream server is told about the key, as names and values in turn. */
export function keyHeaders(key: ApiKey): readonly string[] {
  const earlier = known.get(key);
  if (earlier) return earlier;
  const { id, mode, scopes, name } = key;
  const headers = [
    ...['X-Api-Key-Id', id, 'X-Api-Key-Mode', mode, 'X-Api-Key-Scopes', scopes.join(' ')],
    ...['X-Api-Key-Name', encodeURIComponent(name), 'Cache-Control', 'no-store', 'Content-Length', '0'],
  ];
  known.set(key, headers);
  return headers;
}
