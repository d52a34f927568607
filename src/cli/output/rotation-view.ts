import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { maskKey } from '../../domain/key-string.js';
import type { Rotation } from '../../keyring/rotation.js';
import type { View } from './formats.js';
import type { TableStyle } from './table.js';
import { relativeTime } from './time.js';
import { KEY_FIELDS, keyJson } from './views.js';

/** The end of an overlap, in both forms; how far off it is counts from `since`, so that 24 hours read as a day a moment later, too. */
export function endText(old: ApiKey, now: Date, since = now): string {
  const status = statusAt(old, now);
  const end = old.expiresAt === null ? '' : `${old.expiresAt.toISOString()} (${relativeTime(old.expiresAt, since)})`;
  if (status === 'active') return `works until ${end}`;
  return status === 'expired' ? `stopped working ${end}` : `is inactive, and expires ${end}`;
}

/** Whether a key that was rotated is still in use, told by when it was last used. */
function usageText({ old, usedSince }: Rotation, { now, times }: TableStyle): string {
  const at = (time: Date) => (times === 'iso' ? time.toISOString() : relativeTime(time, now));
  const status = statusAt(old, now);
  const used = old.lastUsedAt === null ? 'never used' : `last ${at(old.lastUsedAt)}`;
  if (status !== 'active') return `no, ${status}; ${used}`;
  if (old.lastUsedAt === null) return `no, ${used}`;
  return usedSince ? `YES, ${used}` : `not since; ${used}`;
}

function isInUse({ old, usedSince }: Rotation, now: Date): boolean {
  return usedSince && statusAt(old, now) === 'active';
}

export function rotationView(now: Date): View<Rotation> {
  return {
    fields: [...KEY_FIELDS, 'rotatedAt', 'usedSince', 'successor'],
    valueField: 'id',
    json: ({ old, successor, rotatedAt, usedSince }) => ({
      ...keyJson(old, now),
      rotatedAt: rotatedAt.toISOString(),
      usedSince,
      successor: successor && {
        id: successor.id,
        name: successor.name,
        status: statusAt(successor, now),
        lastUsedAt: successor.lastUsedAt?.toISOString() ?? null,
      },
    }),
    columns: [
      { header: 'OLD KEY', field: 'name', text: ({ old }) => old.name, min: 20 },
      {
        header: 'STILL IN USE',
        field: 'usedSince',
        text: usageText,
        paint: (text, rotation, paint) => (isInUse(rotation, now) ? paint.warn(text) : text),
      },
      {
        header: 'NEW KEY',
        field: 'successor',
        text: ({ successor }) => (successor ? maskKey(successor.mode, successor.id) : 'deleted'),
        drop: 1,
      },
      {
        header: 'NEW KEY USED',
        field: 'successorUsed',
        text: ({ successor }, { times }) => {
          if (!successor?.lastUsedAt) return 'never';
          return times === 'iso' ? successor.lastUsedAt.toISOString() : relativeTime(successor.lastUsedAt, now);
        },
        drop: 2,
      },
      {
        header: 'ENDS',
        field: 'expiresAt',
        text: ({ old: { expiresAt } }, { times }) => {
          if (expiresAt === null) return 'never';
          return times === 'iso' ? expiresAt.toISOString() : relativeTime(expiresAt, now);
        },
      },
    ],
  };
}

/** What `show` says of the keys that a key took the place of, and of the one that took its own. */
export function linkLines(key: ApiKey, rotations: readonly Rotation[], now: Date): [label: string, text: string][] {
  const style: TableStyle = { now, times: 'relative' };
  const lines = rotations.map((rotation): [string, string] => {
    const { old, successor, rotatedAt } = rotation;
    const usage = `still in use: ${usageText(rotation, style)}`;
    if (old.id !== key.id) return ['Replaces', `${old.name} (${old.id}), which ${endText(old, now)}; ${usage}`];
    const by = successor ? `${successor.name} (${successor.id})` : `${key.rotatedTo}, which was deleted`;
    return ['Replaced by', `${by}, ${relativeTime(rotatedAt, now)}; ${usage}`];
  });
  const known = rotations.some(({ old }) => old.id === key.rotatedFrom);
  if (key.rotatedFrom !== null && !known) lines.unshift(['Replaces', `${key.rotatedFrom}, which was deleted`]);
  return lines;
}
