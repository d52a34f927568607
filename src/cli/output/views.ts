import type { AuditEvent, ChainedEvent } from '../../domain/audit-side.js';
import { whoText } from '../../domain/change.js';
import type { Finding } from '../../domain/key-store.js';
import type { CatalogueScope } from '../../domain/scopes.js';
import { type Fields, view } from './view.js';

export const scopeView = view<CatalogueScope>('scope', {
  scope: { column: { header: 'SCOPE', text: (entry) => entry.scope }, place: 1 },
  category: { column: { header: 'CATEGORY', text: (entry) => entry.categoryLabel, min: 10 } },
  categoryLabel: {},
  action: {},
  retired: {
    column: {
      header: 'STATE',
      text: (entry) => (entry.retired ? 'retired' : 'open'),
      paint: (text, entry, paint) => (entry.retired ? paint.dim(text) : text),
    },
    place: 2,
  },
});

function changes(event: AuditEvent): string {
  if (!['key.edit', 'key.rotate', 'key.expire', 'store.hash', 'store.policy'].includes(event.action))
    return event.reason ?? '';
  const show = (value: unknown) =>
    value === null || value === undefined ? 'none' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  const texts = Object.keys(event.after ?? {}).map(
    (field) => `${field}: ${show(event.before?.[field])} → ${show(event.after?.[field])}`,
  );
  return [...texts, ...(event.reason === null ? [] : [event.reason])].join('; ');
}

/** A time that was stored as text, without its milliseconds; unchanged if it is not a time. */
function shortTime(at: string): string {
  return at.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d+Z$/, '$1 $2Z');
}

const EVENT_FIELDS: Fields<AuditEvent> = {
  seq: { column: { header: 'SEQ', text: (event) => String(event.seq) } },
  at: { column: { header: 'TIME', text: ({ at }, { times }) => (times === 'iso' ? at : shortTime(at)) } },
  action: { column: { header: 'ACTION', text: (event) => event.action } },
  keyId: { column: { header: 'ID', text: ({ keyId }) => keyId ?? '' }, place: 2 },
  keyName: { column: { header: 'NAME', text: ({ keyName }) => keyName ?? '', min: 10, isName: true }, place: 1 },
  actor: {
    column: {
      header: 'BY',
      text: whoText,
      min: 8,
      drop: 1,
    },
    place: 3,
  },
  proven: {}, // absent for an actor that is only claimed
  osUser: {},
  host: {},
  reason: { column: { header: 'DETAIL', text: changes, min: 12, drop: 2 }, place: 4 },
  before: {},
  after: {},
  tool: {},
  op: {},
};

export const eventView = view<AuditEvent>('seq', EVENT_FIELDS);

/** A line holds all that its hash covers (`domain/audit-line.ts`). */
export const auditView = view<ChainedEvent>('seq', { ...EVENT_FIELDS, prev: {}, hash: {}, body: {} });

const FINDING_TEXT = { ok: '✓ ok', warning: '! warning', failed: '× failed' } as const;

export const findingView = view<Finding>('status', {
  check: { column: { header: 'CHECK', text: (each) => each.check } },
  status: {
    column: {
      header: 'STATUS',
      text: (each) => FINDING_TEXT[each.status],
      paint: (text, each, paint) => ({ ok: paint.good, warning: paint.warn, failed: paint.bad })[each.status](text),
    },
  },
  detail: { column: { header: 'DETAIL', text: (each) => each.detail, min: 24 } },
  hint: {},
});
