import { networksText } from '../../domain/addresses.js';
import { type ApiKey, EDITABLE_FIELDS } from '../../domain/api-key.js';
import { expiryWord } from '../../domain/expiry.js';
import type { Labels } from '../../domain/labels.js';
import { formatRateLimit } from '../../domain/rate-limit.js';
import { quoted } from '../../domain/text.js';

type Field = (typeof EDITABLE_FIELDS)[number];

const LABELS: Readonly<Record<Field, string>> = {
  name: 'Name',
  description: 'Description',
  rateLimit: 'Rate limit',
  expiresAt: 'Expires',
  labels: 'Labels',
  allowFrom: 'Addresses',
};

function pairs(labels: Labels): string[] {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`);
}

function text(key: ApiKey, field: Field): string {
  if (field === 'rateLimit') return formatRateLimit(key.rateLimit);
  if (field === 'expiresAt') return expiryWord(key.expiresAt);
  if (field === 'labels') return pairs(key.labels).sort().join(',') || 'none';
  if (field === 'allowFrom') return networksText(key.allowFrom);
  return key[field] === null ? 'none' : quoted(key[field]);
}

function changedFields(before: ApiKey, after: ApiKey): Field[] {
  return EDITABLE_FIELDS.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]));
}

/** What an edit changed, a line for each field. */
export function editLines(before: ApiKey, after: ApiKey): string[] {
  return changedFields(before, after).map(
    (field) => `  ${LABELS[field].padEnd(11)} ${text(before, field)} → ${text(after, field)}`,
  );
}

/** The words of the command that gives a key its former values back; null where only a nearer expiry was set, which cannot be undone. */
export function undoOfEdit(before: ApiKey, after: ApiKey): string[] | null {
  const fields = changedFields(before, after).filter((field) => field !== 'expiresAt');
  if (fields.length === 0) return null;
  const flags: Readonly<Record<(typeof fields)[number], () => string[]>> = {
    name: () => ['--name', before.name],
    description: () => [`--description=${before.description ?? ''}`],
    rateLimit: () => ['--rate-limit', formatRateLimit(before.rateLimit)],
    labels: () => [
      ...pairs(before.labels)
        .filter((pair) => !pairs(after.labels).includes(pair))
        .flatMap((pair) => ['--label', pair]),
      ...Object.keys(after.labels)
        .filter((name) => !Object.hasOwn(before.labels, name))
        .flatMap((name) => ['--unlabel', name]),
    ],
    allowFrom: () => ['--allow-from', networksText(before.allowFrom)],
  };
  return ['edit', after.id, ...fields.flatMap((field) => flags[field]())];
}
