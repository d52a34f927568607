import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { maskKey } from '../../domain/key-string.js';
import { relativeTime } from '../../domain/relative-time.js';
import type { Rotation } from '../../keyring/rotation-status.js';
import { time } from './key-columns.js';
import { keyView } from './key-view.js';
import type { TableStyle } from './table.js';
import { fieldsOf, type View, view } from './view.js';

/** The end of an overlap, absolute and relative. Relative to `since`, so that 24 hours still read as a day a moment later. */
export function endText(old: ApiKey, now: Date, since = now): string {
  const status = statusAt(old, now);
  const end = old.expiresAt === null ? '' : `${old.expiresAt.toISOString()} (${relativeTime(old.expiresAt, since)})`;
  if (status === 'active') return `works until ${end}`;
  return status === 'expired' ? `stopped working ${end}` : `is inactive, and expires ${end}`;
}

/** Whether a rotated key is still in use, judged by when it was last used, where that was recorded. */
function usageText({ old, usedSince }: Rotation, { now, times }: TableStyle): string {
  const at = (time: Date) => (times === 'iso' ? time.toISOString() : relativeTime(time, now));
  const status = statusAt(old, now);
  const mark = old.lastUsedAt === null ? null : `last ${at(old.lastUsedAt)}`;
  if (status !== 'active') return `no, ${[status, mark].filter(Boolean).join('; ')}`;
  if (usedSince === null) return `not known${mark === null ? '' : `; ${mark}`}`;
  if (usedSince) return `YES, ${mark}`;
  return mark === null ? 'no' : `not since; ${mark}`;
}

function isInUse({ old, usedSince }: Rotation, now: Date): boolean {
  return usedSince === true && statusAt(old, now) === 'active';
}

export function rotationView(now: Date): View<Rotation> {
  const key = fieldsOf<ApiKey, Rotation>(keyView(now), ({ old }) => old);
  return view('id', {
    ...key,
    name: { ...key.name, column: { header: 'OLD KEY', text: ({ old }) => old.name, min: 20, isName: true }, place: 1 },
    expiresAt: {
      ...key.expiresAt,
      column: { header: 'ENDS', text: ({ old }, style) => time(old.expiresAt, style) },
      place: 5,
    },
    rotatedAt: { json: ({ rotatedAt }) => rotatedAt.toISOString() },
    usedSince: {
      column: {
        header: 'STILL IN USE',
        text: usageText,
        paint: (text, rotation, paint) =>
          isInUse(rotation, now) || rotation.usedSince === null ? paint.warn(text) : text,
      },
      place: 2,
    },
    successor: {
      json: ({ successor }) =>
        successor && {
          id: successor.id,
          name: successor.name,
          status: statusAt(successor, now),
          lastUsedAt: successor.lastUsedAt?.toISOString() ?? null,
        },
      column: {
        header: 'NEW KEY',
        text: ({ successor }) => (successor ? maskKey(successor.mode, successor.id) : 'deleted'),
        drop: 1,
      },
      place: 3,
    },
    successorUsed: {
      tableOnly: true,
      column: {
        header: 'NEW KEY USED',
        text: ({ successorUsedAt, usedSince }, style) =>
          successorUsedAt === null && usedSince === null ? 'not known' : time(successorUsedAt, style),
        drop: 2,
      },
      place: 4,
    },
  });
}

/** The lines of `show` about the keys that this key replaced, and the one that replaced it. */
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
