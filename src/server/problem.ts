import { STATUS_CODES } from 'node:http';
import type { Refusal } from '../adapters/types.js';

/** A refusal that no verdict stands for, in the same form as those that one does (RFC 9457). */
export function problem(
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  return {
    ok: false,
    status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
    body: { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, code },
  };
}
