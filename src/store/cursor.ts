import { KeysError } from '../domain/errors.js';
import { type ListQuery, SORT_FIELDS, type SortField } from '../domain/key-query.js';

/** The order of a list. */
export interface ListOrder {
  readonly field: SortField;
  readonly descending: boolean;
}

/** The order that was asked for, or else the most useful one for the filter: newest first, next to expire first, longest unused first. */
export function orderOf(query: ListQuery): ListOrder {
  if (query.sort) return { field: query.sort, descending: query.descending ?? false };
  if (query.status === 'expired') return { field: 'expires', descending: true };
  if (query.expiringBefore) return { field: 'expires', descending: false };
  if (query.unusedSince) return { field: 'last-used', descending: false };
  return { field: 'created', descending: true };
}

type CursorPosition = readonly [value: number | string, seq: number];

/** A cursor names the last row of a page by its sort value and row id, so that rows created or deleted meanwhile do not shift the next page. */
export function encodeCursor({ field, descending }: ListOrder, position: CursorPosition): string {
  return Buffer.from(JSON.stringify([field, descending, ...position])).toString('base64url');
}

/** Reads a cursor. Throws `usage` for text that is not a cursor, or one of a list in another order. */
export function decodeCursor(cursor: string, order: ListOrder): CursorPosition {
  const wrong = (why: string) =>
    new KeysError(
      'usage',
      `--cursor ${why}`,
      'pass the cursor that the previous page printed, with the same filters and --sort',
    );
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor.slice(0, 2000), 'base64url').toString());
  } catch {
    throw wrong('cannot be read');
  }
  if (!Array.isArray(parts) || parts.length !== 4) throw wrong('cannot be read');
  const [field, descending, value, seq] = parts as unknown[];
  const readable =
    SORT_FIELDS.includes(field as SortField) &&
    Number.isSafeInteger(seq) &&
    (typeof value === 'string' || (field !== 'name' && Number.isFinite(value))); // what a damaged row sorts by can be anything
  if (!readable) throw wrong('cannot be read');
  if (field !== order.field || descending !== order.descending) throw wrong('belongs to a list in another order');
  return [value as number | string, seq as number];
}
