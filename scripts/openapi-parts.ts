// What the descriptions of the servers have in common (OpenAPI 3.1).

export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
export const text = { type: 'string' };
export const count = { type: 'integer', minimum: 0 };

/** An object with these properties, all required unless `optional` names them, and no others. */
export function object(properties: Record<string, unknown>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

export const header = (description: string, schema: object = text) => ({ description, required: true, schema });
export const CHALLENGE = { 'WWW-Authenticate': header('`Bearer`, with the reason (RFC 6750)') };
export const RETRY = { 'Retry-After': header('Seconds', { type: 'string', pattern: '^\\d+$' }) };
export function refusal(codes: readonly string[], description: string, headers: object = {}) {
  const problem = { allOf: [ref('Problem'), { properties: { code: { enum: codes } } }] };
  return { description, headers, content: { 'application/problem+json': { schema: problem } } };
}

export const PROBLEM = {
  description: 'Problem details (RFC 9457). `code` is for programs, and `detail` for people.',
  ...object({ type: { const: 'about:blank' }, title: text, status: count, detail: text, code: text }),
};

/** The endpoints for monitoring. */
export const MONITORING = {
  '/healthz': {
    get: {
      operationId: 'healthz',
      summary: 'Whether the store answers',
      responses: {
        200: {
          description: 'It does',
          content: { 'application/json': { schema: object({ status: { const: 'ok' } }) } },
        },
        503: refusal(['unavailable', 'stopping'], 'It does not, or the server is stopping'),
      },
    },
  },
  '/metrics': {
    get: {
      operationId: 'metrics',
      summary: 'Metrics for Prometheus',
      responses: { 200: { description: 'In its text format', content: { 'text/plain': { schema: text } } } },
    },
  },
};
