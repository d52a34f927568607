import { type ApiKey, type DisplayStatus, statusAt } from '../../domain/api-key.js';
import { type Creator, whoText } from '../../domain/change.js';
import { isoTime } from '../../domain/iso-time.js';
import { maskKey } from '../../domain/key-string.js';
import { describeRateLimit } from '../../domain/rate-limit.js';
import { relativeTime } from '../../domain/relative-time.js';
import { isNeverUsed, type Recording, recordedSince } from '../../domain/use.js';
import type { Paint } from './paint.js';
import type { TableColumn, TableStyle } from './table.js';
import type { Columns } from './view.js';

// Keys as people read them: in a table, and alone. What programs read is in `key-view.ts`.

const STATUS_TEXT: Record<DisplayStatus, string> = {
  active: '● Active',
  inactive: '○ Inactive',
  expired: '× Expired',
  damaged: '! Damaged',
};

export function statusText(status: DisplayStatus): string {
  return STATUS_TEXT[status];
}

export function paintStatus(text: string, status: DisplayStatus, paint: Paint): string {
  return { active: paint.good, inactive: paint.dim, expired: paint.bad, damaged: paint.bad }[status](text);
}

/** A time in a table: relative on a terminal, ISO 8601 elsewhere; `never` for null. */
export function time(at: Date | null, style: TableStyle): string {
  if (at === null) return 'never';
  return style.times === 'iso' ? isoTime(at) : relativeTime(at, style.now);
}

/** When a key was last used; `never` only where that is known. */
export function lastUsed(key: ApiKey, recording: Recording, style: TableStyle): string {
  if (key.lastUsedAt !== null) return time(key.lastUsedAt, style);
  return isNeverUsed(key, recording, style.now) ? 'never' : 'not known';
}

/** Scopes with each category named once: `checkin:read,create plan:read`. */
export function groupScopes(scopes: readonly string[]): string {
  const groups = new Map<string, string[]>();
  for (const scope of scopes) {
    const [category = '', action = ''] = scope.split(':');
    groups.set(category, [...(groups.get(category) ?? []), action]);
  }
  return [...groups].map(([category, actions]) => `${category}:${actions.join(',')}`).join(' ');
}

const DAY_MS = 86_400_000;

/** An active key whose expiry is less than a day away. */
export function endsSoon(key: ApiKey, now: Date): boolean {
  const left = (key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY) - now.getTime();
  return statusAt(key, now) === 'active' && left < DAY_MS;
}

/** The columns of {@link keyFields}. */
export function keyColumns(now: Date, recording: Recording): Columns<ApiKey> {
  return {
    name: { header: 'NAME', text: (key) => key.name, min: 10, isName: true },
    maskedKey: {
      header: 'KEY',
      text: (key) => maskKey(key.mode, key.id),
      brief: { header: 'ID', text: (key) => key.id },
    },
    mode: {
      header: 'MODE',
      text: (key) => key.mode,
      paint: (text, key, paint) => (key.mode === 'live' ? paint.warn(text) : text),
    },
    scopes: { header: 'SCOPES', text: (key) => groupScopes(key.scopes), min: 12, drop: 1 },
    status: {
      header: 'STATUS',
      text: (key) => statusText(statusAt(key, now)),
      paint: (text, key, paint) => paintStatus(text, statusAt(key, now), paint),
    },
    lastUsedAt: { header: 'LAST USED', text: (key, style) => lastUsed(key, recording, style), drop: 2 },
    expiresAt: {
      header: 'EXPIRES',
      text: (key, style) => time(key.expiresAt, style),
      drop: 4,
      paint: (text, key, paint) => (endsSoon(key, now) ? paint.bad(text) : text),
    },
    description: { header: 'DESCRIPTION', text: (key) => key.description ?? '', min: 16, drop: 5, spare: true },
  };
}

/** The columns of the table in which keys are managed. Scopes and description stand below it. */
export function tableKeyColumns(now: Date, recording: Recording): readonly TableColumn<ApiKey>[] {
  return Object.entries(keyColumns(now, recording))
    .filter(([field]) => !['scopes', 'description'].includes(field))
    .map(([field, { drop: _, ...column }]) => ({ ...column, field, ...(field === 'maskedKey' && { drop: 1 }) }));
}

function labelLine({ labels }: ApiKey): [string, string][] {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return texts.length === 0 ? [] : [['Labels', texts.join(', ')]];
}

/** What is known of a key without a last-used mark. */
function unusedText(key: ApiKey, recording: Recording, now: Date): string {
  if (isNeverUsed(key, recording, now)) return 'never';
  const since = recordedSince(recording, now);
  if (since !== null) return `not known; not since ${since.toISOString()} (${relativeTime(since, now)})`;
  return recording.recorded.length === 0
    ? 'not known: no server has recorded use'
    : 'not known: not all use is recorded';
}

/** A key for people: one line for each field, and every time both absolute and relative. */
export function keyDetails(
  key: ApiKey,
  now: Date,
  { creator, recording }: { readonly creator: Creator | undefined; readonly recording: Recording },
): readonly (readonly [string, string])[] {
  const both = (at: Date | null) => (at === null ? 'never' : `${at.toISOString()} (${relativeTime(at, now)})`);
  return [
    ['Name', key.name],
    ['Key', maskKey(key.mode, key.id)],
    ['Id', key.id],
    ['Description', key.description ?? '—'],
    ['Mode', key.mode === 'live' ? 'LIVE' : 'TEST'],
    ['Status', statusText(statusAt(key, now))],
    ...(key.damaged
      ? [['Damaged', `${key.damaged.join(', ')}: cannot be read, and shown as a stand-in`] as const]
      : []),
    ['Scopes', key.scopes.join(', ')],
    ['Rate limit', describeRateLimit(key.rateLimit)],
    ...labelLine(key),
    ...(key.allowFrom.length === 0 ? [] : [['Addresses', key.allowFrom.join(', ')] as const]),
    ['Expires', both(key.expiresAt)],
    ['Last used', key.lastUsedAt === null ? unusedText(key, recording, now) : both(key.lastUsedAt)],
    ['Created', both(key.createdAt)],
    ...(creator ? [['Created by', whoText(creator)] as const] : []),
    ['Updated', both(key.updatedAt)],
  ];
}
