import type { Headers, Refusal } from './types.js';

// Not from `node:http`: the adapter for Fetch handlers also runs where there is no Node.
const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

/** Builds every error response: problem details (RFC 9457), never cached. `code` is the word that programs can rely on. */
export function problem(status: keyof typeof TITLES, code: string, detail: string, headers: Headers = {}): Refusal {
  return {
    ok: false,
    status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
    body: { type: 'about:blank', title: TITLES[status], status, detail, code },
  };
}
