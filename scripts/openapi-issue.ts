import { VERSION } from '../src/version.js';
import { CHALLENGE, MONITORING, object, PROBLEM, RETRY, ref, refusal, text } from './openapi-parts.js';

// What `issue` answers, as OpenAPI 3.1. test/issuer/openapi.test.ts holds it to the server.

const SCOPES = { type: 'array', items: { type: 'string' }, minItems: 1 };
const TOKEN = refusal(['token_missing', 'token_invalid', 'token_expired'], 'The ID token is not accepted', CHALLENGE);
const UNAVAILABLE = refusal(
  ['provider_unavailable', 'store_unavailable'],
  "The provider's keys cannot be had, or the store does not answer",
  RETRY,
);

const SCHEMAS = {
  Problem: {
    ...PROBLEM,
    properties: {
      ...PROBLEM.properties,
      claim: { description: 'The claim that differs, for not_allowed', ...text },
      keyId: { description: 'The key that the token gave, for token_replayed', ...text },
    },
  },
  Question: object(
    {
      scopes: { description: 'What the key is for: category:action, or category:*', maxItems: 100, ...SCOPES },
      ttl: { description: 'How long it lives: 15m, 1h. Default: 1h, or less where the rule says so', ...text },
    },
    ['ttl'],
  ),
  Key: object({
    id: text,
    name: text,
    key: { description: 'The key string. Nobody can see it again', ...text },
    mode: { const: 'test' },
    scopes: SCOPES,
    expiresAt: { type: 'string', format: 'date-time' },
  }),
};

const PATHS = {
  '/keys': {
    post: {
      operationId: 'issue',
      summary: 'A test key for the job that the ID token stands for',
      security: [{ token: [] }],
      requestBody: { required: true, content: { 'application/json': { schema: ref('Question') } } },
      responses: {
        201: { description: 'The key', content: { 'application/json': { schema: ref('Key') } } },
        400: refusal(['bad_request', 'ttl_too_long'], 'The body is wrong, or asks for too long a life'),
        401: refusal(
          ['token_missing', 'token_invalid', 'token_expired', 'token_replayed'],
          'The ID token is not accepted, or was exchanged before',
          CHALLENGE,
        ),
        403: refusal(['not_allowed', 'scope_not_allowed'], 'No rule lets this job in, or not with these scopes'),
        413: refusal(['too_large'], 'The body is larger than 8 KiB'),
        415: refusal(['unsupported_media_type'], 'The body is not sent as JSON'),
        429: refusal(['too_many_keys'], 'A limit of the rule is reached', RETRY),
        503: UNAVAILABLE,
      },
    },
  },
  '/keys/{id}': {
    delete: {
      operationId: 'end',
      summary: 'Ends a key of the same job',
      security: [{ token: [] }],
      parameters: [{ name: 'id', in: 'path', required: true, schema: text }],
      responses: {
        204: { description: 'It is gone' },
        401: TOKEN,
        404: refusal(['not_found'], 'This job was given no such key'),
        503: UNAVAILABLE,
      },
    },
  },
  ...MONITORING,
};

export function issueOpenApi(): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'unlockos-keys issue',
      version: VERSION,
      description:
        'Gives test keys to CI jobs for their own ID tokens (OpenID Connect). Other paths are answered with 404, other methods with 405, and what is no request with 400, 408 or 431.',
    },
    servers: [{ url: 'http://127.0.0.1:8788' }],
    paths: PATHS,
    components: {
      schemas: SCHEMAS,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}
