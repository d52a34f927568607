import { type ApiKey, FIELD_DEFAULTS } from '../../src/domain/api-key.js';
import type { RequestVerdict } from '../../src/http/response.js';

export const KEY: ApiKey = {
  id: '0123456789ab',
  name: 'partner-checkin',
  description: 'what the partner calls',
  mode: 'test',
  scopes: ['plan:read'],
  status: 'active',
  rateLimit: { limit: 600, windowSeconds: 60 },
  expiresAt: null,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  lastUsedAt: null,
  ...FIELD_DEFAULTS,
};

export const RATE = { limit: 600, windowSeconds: 60, remaining: 599, resetMs: 100 };

interface Row {
  readonly outcome: RequestVerdict;
  readonly status: number;
  readonly title: string;
  readonly challenge?: string;
  readonly more?: Record<string, string>;
}

const REALM = 'Bearer realm="unlockos"';
const invalidToken = { status: 401, title: 'Unauthorized', challenge: `${REALM}, error="invalid_token"` };

/** The response to every outcome except `valid`, for a route that needs `plan:read` and `plan:create`. */
export const OUTCOMES: readonly Row[] = [
  { outcome: { verdict: 'missing' }, status: 401, title: 'Unauthorized', challenge: REALM },
  {
    outcome: { verdict: 'invalid_request' },
    status: 400,
    title: 'Bad Request',
    challenge: `${REALM}, error="invalid_request"`,
  },
  { outcome: { verdict: 'invalid' }, ...invalidToken },
  { outcome: { verdict: 'inactive', key: KEY }, ...invalidToken },
  { outcome: { verdict: 'expired', key: KEY }, ...invalidToken },
  { outcome: { verdict: 'wrong_environment', key: KEY, environment: 'live' }, ...invalidToken },
  {
    outcome: { verdict: 'missing_scope', key: KEY, missingScopes: ['plan:create'] },
    status: 403,
    title: 'Forbidden',
    challenge: `${REALM}, error="insufficient_scope", scope="plan:read plan:create"`,
  },
  { outcome: { verdict: 'wrong_address', key: KEY, address: '192.0.2.7' }, status: 403, title: 'Forbidden' },
  { outcome: { verdict: 'wrong_address', key: KEY, address: null }, status: 403, title: 'Forbidden' },
  {
    outcome: {
      verdict: 'rate_limited',
      key: KEY,
      rate: { ...RATE, remaining: 0, resetMs: 60_000 },
      retryAfterMs: 6001,
    },
    status: 429,
    title: 'Too Many Requests',
    more: { 'Retry-After': '7', 'RateLimit-Policy': '"default";q=600;w=60', RateLimit: '"default";r=0;t=7' },
  },
  { outcome: { verdict: 'unavailable' }, status: 503, title: 'Service Unavailable', more: { 'Retry-After': '1' } },
];
