import type { ApiKey } from '../domain/api-key.js';
import { formatRateLimit } from '../domain/rate-limit.js';
import { OWN_LABELS } from './manifest.js';

/**
 * The manifest that describes these keys, as a plain document for YAML or JSON. Applying it with `--adopt` makes the manifest their owner
 * and changes nothing else. It holds no ids, times or hashes.
 */
export function manifestDocument(name: string, keys: readonly ApiKey[]): Record<string, unknown> {
  return { version: 1, name, keys: keys.map(keyDocument) };
}

function keyDocument(key: ApiKey): Record<string, unknown> {
  const rateLimit = formatRateLimit(key.rateLimit);
  const labels = Object.entries(key.labels).filter(([name]) => !OWN_LABELS.includes(name));
  return {
    name: key.name,
    mode: key.mode,
    scopes: key.scopes,
    ...(key.description !== null && { description: key.description }),
    ...(/^\d+\/[smhd]$/.test(rateLimit) && { rateLimit }), // the library can set windows that have no text form; apply leaves those alone
    ...(key.expiresAt !== null && { expiresAt: key.expiresAt.toISOString() }),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    ...(key.allowFrom.length > 0 && { allowFrom: key.allowFrom }),
    ...(key.status === 'inactive' && { disabled: true }),
  };
}
