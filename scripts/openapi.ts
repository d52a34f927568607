import { VERSION } from '../src/version.js';
import { CHALLENGE, count, header, MONITORING, object, PROBLEM, RETRY, ref, refusal, text } from './openapi-parts.js';

// What `serve` answers, as OpenAPI 3.1. test/server/openapi.test.ts holds it to the server: each answer fits, and each one that is
// described happens.

const RATE = {
  RateLimit: { description: 'What is left of the rate limit', schema: text },
  'RateLimit-Policy': { description: 'The rate limit', schema: text },
};

const UNAVAILABLE = refusal(['unavailable'], 'There is no verdict, because the store does not answer', RETRY);
const MALFORMED = refusal(['invalid_request', 'ambiguous_path'], 'The request cannot be judged');
const REFUSALS = {
  400: MALFORMED,
  401: refusal(
    ['missing', 'invalid', 'inactive', 'expired', 'wrong_environment'],
    'The key is not accepted',
    CHALLENGE,
  ),
  403: refusal(
    ['missing_scope', 'wrong_address', 'no_rule'],
    'The key lacks a scope or does not work from this address, or no rule allows the request',
  ),
};

const ADMITTED = {
  description: 'The request may continue. The body is empty',
  headers: {
    'X-Api-Key-Id': header('The key id'),
    'X-Api-Key-Mode': header('The mode', ref('Mode')),
    'X-Api-Key-Scopes': header('The scopes, with spaces between them'),
    'X-Api-Key-Name': header('The name, percent-encoded'),
    ...RATE,
  },
};
const LIMITED = refusal(['rate_limited'], 'The rate limit is exceeded', { ...RETRY, ...RATE });

const FORWARDED = [
  ['X-Forwarded-Method', 'The method of the request that the proxy asks about. With rules it is required.'],
  ['X-Forwarded-Uri', 'Its path and query. With rules it is required.'],
  ['X-Forwarded-For', 'With `--client-address`: where it came from, as each proxy saw it.'],
].map(([name, description]) => ({ name, in: 'header', description, schema: text }));

const VERDICTS = {
  valid: object({ verdict: { const: 'valid' }, key: ref('Key'), rate: ref('Rate') }, ['rate']),
  invalid: object({ verdict: { const: 'invalid' } }),
  inactive: object({ verdict: { const: 'inactive' }, key: ref('Key') }),
  expired: object({ verdict: { const: 'expired' }, key: ref('Key') }),
  wrong_environment: object({ verdict: { const: 'wrong_environment' }, key: ref('Key'), environment: ref('Mode') }),
  missing_scope: object({
    verdict: { const: 'missing_scope' },
    key: ref('Key'),
    missingScopes: { type: 'array', items: text, minItems: 1 },
  }),
  wrong_address: object({
    verdict: { const: 'wrong_address' },
    key: ref('Key'),
    address: { description: 'Null where it is not known', type: ['string', 'null'] },
  }),
  rate_limited: object({
    verdict: { const: 'rate_limited' },
    key: ref('Key'),
    rate: ref('Rate'),
    retryAfterMs: { type: 'number' },
  }),
};

const SCHEMAS = {
  Mode: { enum: ['live', 'test'] },
  Problem: PROBLEM,
  Key: object({
    id: text,
    name: text,
    mode: ref('Mode'),
    scopes: { type: 'array', items: text },
    labels: { type: 'object', additionalProperties: text },
    expiresAt: { type: ['string', 'null'], format: 'date-time' },
  }),
  Rate: object({ limit: count, windowSeconds: count, remaining: count, resetMs: { type: 'number' } }),
  Question: object(
    {
      key: { description: 'The key string, as it came', ...text },
      scopes: {
        description: 'Scopes that the key must have, beside those that the server requires',
        type: 'array',
        items: text,
      },
      method: { description: 'Of the request that the key came with. With rules it is required.', ...text },
      path: { description: 'Of that request; the query may follow. With rules it is required.', ...text },
      address: {
        description: 'The IP address that it came from. Keys that work from certain addresses only need it.',
        ...text,
      },
    },
    ['scopes', 'method', 'path', 'address'],
  ),
  Verdict: { oneOf: Object.values(VERDICTS) },
};

const PATHS = {
  '/auth': {
    get: {
      operationId: 'auth',
      summary: 'For Caddy and Traefik: may this request continue? Any method is answered alike.',
      security: [{ key: [] }],
      parameters: FORWARDED,
      responses: { 200: ADMITTED, ...REFUSALS, 429: LIMITED, 503: UNAVAILABLE },
    },
  },
  '/auth/nginx': {
    get: {
      operationId: 'authForNginx',
      summary: 'For auth_request of nginx, which knows no other refusals than 401 and 403',
      security: [{ key: [] }],
      parameters: FORWARDED,
      responses: {
        200: ADMITTED,
        401: { ...REFUSALS[401], headers: { ...CHALLENGE, 'X-Auth-Status': header('401') } },
        403: {
          ...refusal(
            [
              ...['invalid_request', 'ambiguous_path', 'missing_scope', 'wrong_address', 'no_rule'],
              ...['rate_limited', 'unavailable'],
            ],
            'Every other refusal',
          ),
          headers: { 'X-Auth-Status': header('The status that the client should get: 400, 403, 429 or 503') },
        },
      },
    },
  },
  '/auth/envoy/{path}': {
    get: {
      operationId: 'authForEnvoy',
      summary: 'For ext_authz of Envoy. The method, and the path after /auth/envoy, are those of the request itself.',
      security: [{ key: [] }],
      parameters: [
        {
          name: 'path',
          in: 'path',
          required: true,
          description: 'May hold slashes, and a query follows it.',
          schema: text,
        },
      ],
      responses: { 200: ADMITTED, ...REFUSALS, 429: LIMITED, 503: UNAVAILABLE },
    },
  },
  '/verify': {
    post: {
      operationId: 'verify',
      summary: 'For programs: the verdict on a key string',
      requestBody: { required: true, content: { 'application/json': { schema: ref('Question') } } },
      responses: {
        200: { description: 'The verdict', content: { 'application/json': { schema: ref('Verdict') } } },
        400: MALFORMED,
        403: refusal(['no_rule'], 'No rule allows the request'),
        413: refusal(['too_large'], 'The body is larger than 8 KiB'),
        415: refusal(['unsupported_media_type'], 'The body is not sent as JSON'),
        503: UNAVAILABLE,
      },
    },
  },
  ...MONITORING,
};

export function openApi(): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'unlockos-keys serve',
      version: VERSION,
      description:
        'Checks API keys for proxies and programs. No request creates or changes a key. Other paths are answered with 404, other methods with 405, and what is no request with 400, 408 or 431.',
    },
    servers: [{ url: 'http://127.0.0.1:8787' }],
    paths: PATHS,
    components: { schemas: SCHEMAS, securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
  };
}
