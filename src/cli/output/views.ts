import { type ApiKey, type DisplayStatus, statusAt } from '../../domain/api-key.js';
import type { AuditEvent, Finding } from '../../domain/key-store.js';
import { maskKey } from '../../domain/key-string.js';
import { describeRateLimit } from '../../domain/rate-limit.js';
import type { CatalogueScope } from '../../domain/scopes.js';
import type { View } from './formats.js';
import type { Paint } from './paint.js';
import type { TableStyle } from './table.js';
import { relativeTime } from './time.js';

const STATUS_TEXT: Record<DisplayStatus, string> = { active: '● Active', inactive: '○ Inactive', expired: '× Expired' };

export function statusText(status: DisplayStatus): string {
  return STATUS_TEXT[status];
}

export function paintStatus(text: string, status: DisplayStatus, paint: Paint): string {
  return { active: paint.good, inactive: paint.dim, expired: paint.bad }[status](text);
}

function time(at: Date | null, style: TableStyle): string {
  if (at === null) return 'never';
  return style.times === 'iso' ? at.toISOString() : relativeTime(at, style.now);
}

/** `checkin:read,create plan:read`: each category once. */
export function groupScopes(scopes: readonly string[]): string {
  const groups = new Map<string, string[]>();
  for (const scope of scopes) {
    const [category = '', action = ''] = scope.split(':');
    groups.set(category, [...(groups.get(category) ?? []), action]);
  }
  return [...groups].map(([category, actions]) => `${category}:${actions.join(',')}`).join(' ');
}

/** The public record, as JSON prints it everywhere. Explicit, so that a new column is never published by accident. */
export function keyJson(key: ApiKey, now: Date): Record<string, unknown> {
  return {
    id: key.id,
    name: key.name,
    description: key.description,
    maskedKey: maskKey(key.mode, key.id),
    mode: key.mode,
    scopes: key.scopes,
    status: statusAt(key, now),
    rateLimit: key.rateLimit,
    expiresAt: key.expiresAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
    createdAt: key.createdAt.toISOString(),
    updatedAt: key.updatedAt.toISOString(),
    labels: key.labels,
    rotatedFrom: key.rotatedFrom,
    rotatedTo: key.rotatedTo,
  };
}

export const KEY_FIELDS = [
  'id',
  'name',
  'description',
  'maskedKey',
  'mode',
  'scopes',
  'status',
  'rateLimit',
  'expiresAt',
  'lastUsedAt',
  'createdAt',
  'updatedAt',
  'labels',
  'rotatedFrom',
  'rotatedTo',
] as const;

export function keyView(now: Date): View<ApiKey> {
  return {
    fields: KEY_FIELDS,
    valueField: 'id',
    json: (key) => keyJson(key, now),
    columns: [
      { header: 'NAME', field: 'name', text: (key) => key.name, min: 10 },
      { header: 'KEY', field: 'maskedKey', text: (key) => maskKey(key.mode, key.id) },
      {
        header: 'MODE',
        field: 'mode',
        text: (key) => key.mode,
        drop: 3,
        paint: (text, key, paint) => (key.mode === 'live' ? paint.warn(text) : text),
      },
      { header: 'SCOPES', field: 'scopes', text: (key) => groupScopes(key.scopes), min: 12, drop: 1 },
      {
        header: 'STATUS',
        field: 'status',
        text: (key, { now: at }) => statusText(statusAt(key, at)),
        paint: (text, key, paint) => paintStatus(text, statusAt(key, now), paint),
      },
      { header: 'LAST USED', field: 'lastUsedAt', text: (key, style) => time(key.lastUsedAt, style), drop: 2 },
      { header: 'EXPIRES', field: 'expiresAt', text: (key, style) => time(key.expiresAt, style), drop: 4 },
      { header: 'DESCRIPTION', field: 'description', text: (key) => key.description ?? '', min: 16, drop: 5 },
    ],
  };
}

/** One item of `enable`, `disable` and `delete`. */
export interface Outcome {
  readonly ref: string;
  readonly key: ApiKey | null;
  readonly changed: boolean;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export function outcomeView(now: Date): View<Outcome> {
  return {
    fields: [...KEY_FIELDS, 'ref', 'changed', 'error'],
    valueField: 'id',
    json: ({ ref, key, changed, error }) => ({
      ...(key ? keyJson(key, now) : Object.fromEntries(KEY_FIELDS.map((field) => [field, null]))),
      ref,
      changed,
      error,
    }),
    columns: [],
  };
}

export const scopeView: View<CatalogueScope> = {
  fields: ['scope', 'category', 'categoryLabel', 'action', 'retired'],
  valueField: 'scope',
  json: ({ scope, category, categoryLabel, action, retired }) => ({ scope, category, categoryLabel, action, retired }),
  columns: [
    { header: 'CATEGORY', field: 'category', text: (entry) => entry.categoryLabel, min: 10 },
    { header: 'SCOPE', field: 'scope', text: (entry) => entry.scope },
    {
      header: 'STATE',
      field: 'retired',
      text: (entry) => (entry.retired ? 'retired' : 'open'),
      paint: (text, entry, paint) => (entry.retired ? paint.dim(text) : text),
    },
  ],
};

function changes(event: AuditEvent): string {
  if (!['key.edit', 'key.rotate', 'key.expire', 'store.hash'].includes(event.action)) return event.reason ?? '';
  const show = (value: unknown) =>
    value === null || value === undefined ? 'none' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return Object.keys(event.after ?? {})
    .map((field) => `${field}: ${show(event.before?.[field])} → ${show(event.after?.[field])}`)
    .join('; ');
}

export const auditView: View<AuditEvent> = {
  fields: [
    'seq',
    'at',
    'action',
    'keyId',
    'keyName',
    'actor',
    'osUser',
    'host',
    'reason',
    'before',
    'after',
    'tool',
    'op',
  ],
  valueField: 'seq',
  json: ({ seq, at, action, keyId, keyName, actor, osUser, host, reason, before, after, tool, op }) => ({
    seq,
    at,
    action,
    keyId,
    keyName,
    actor,
    osUser,
    host,
    reason,
    before,
    after,
    tool,
    op,
  }),
  columns: [
    { header: 'SEQ', field: 'seq', text: (event) => String(event.seq) },
    { header: 'TIME', field: 'at', text: (event) => event.at },
    { header: 'ACTION', field: 'action', text: (event) => event.action },
    {
      header: 'KEY',
      field: 'keyName',
      text: (event) => (event.keyId ? `${event.keyName} (${event.keyId})` : ''),
      min: 14,
    },
    {
      header: 'BY',
      field: 'actor',
      text: (event) => (event.actor ? `${event.actor} (${event.osUser})` : event.osUser),
      min: 8,
      drop: 1,
    },
    { header: 'DETAIL', field: 'reason', text: changes, min: 12, drop: 2 },
  ],
};

const FINDING_TEXT = { ok: '✓ ok', warning: '! warning', failed: '× failed' } as const;

export const findingView: View<Finding> = {
  fields: ['check', 'status', 'detail', 'hint'],
  valueField: 'status',
  json: ({ check, status, detail, hint }) => ({ check, status, detail, hint }),
  columns: [
    { header: 'CHECK', field: 'check', text: (each) => each.check },
    {
      header: 'STATUS',
      field: 'status',
      text: (each) => FINDING_TEXT[each.status],
      paint: (text, each, paint) => ({ ok: paint.good, warning: paint.warn, failed: paint.bad })[each.status](text),
    },
    { header: 'DETAIL', field: 'detail', text: (each) => each.detail, min: 24 },
  ],
};

/** One key for reading: a line a field, both forms of every time. */
function labelLine({ labels }: ApiKey): [string, string][] {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return texts.length === 0 ? [] : [['Labels', texts.join(', ')]];
}

export function keyDetails(key: ApiKey, now: Date): readonly (readonly [string, string])[] {
  const both = (at: Date | null) => (at === null ? 'never' : `${at.toISOString()} (${relativeTime(at, now)})`);
  return [
    ['Name', key.name],
    ['Key', maskKey(key.mode, key.id)],
    ['Id', key.id],
    ['Description', key.description ?? '—'],
    ['Mode', key.mode === 'live' ? 'LIVE' : 'TEST'],
    ['Status', statusText(statusAt(key, now))],
    ['Scopes', key.scopes.join(', ')],
    ['Rate limit', describeRateLimit(key.rateLimit)],
    ...labelLine(key),
    ['Expires', both(key.expiresAt)],
    ['Last used', both(key.lastUsedAt)],
    ['Created', both(key.createdAt)],
    ['Updated', both(key.updatedAt)],
  ];
}
