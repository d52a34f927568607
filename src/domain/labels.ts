import { KeysError } from './errors.js';
import { quoted } from './text.js';

/** Names and values that people give to keys, to find them by: `team=checkout`. They are not secret. */
export type Labels = Readonly<Record<string, string>>;

export const MAX_LABELS = 32;
const NAME = /^[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?$/;
const VALUE = /^[A-Za-z0-9._/@:+-]{0,63}$/;

/** Throws `usage` for a malformed label. The characters are those of a shell word or a URL, so that no list of labels needs quoting. */
export function assertLabel(name: string, value: string): void {
  if (!NAME.test(name))
    throw new KeysError(
      'usage',
      `label name ${quoted(name)} is not allowed`,
      'up to 63 of a-z 0-9 . _ / -, beginning and ending in a letter or digit: team=checkout',
    );
  if (!VALUE.test(value))
    throw new KeysError(
      'usage',
      `the value of label ${name} is not allowed: ${quoted(value)}`,
      'up to 63 of letters, digits and . _ / @ : + -',
    );
}

/** Labels as they are stored and compared, with their names in order. Throws `usage` for a malformed label, or for more than 32. */
export function normalizeLabels(labels: Labels): Labels {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) throw new KeysError('usage', `a key has at most ${MAX_LABELS} labels`, 'use fewer');
  for (const [name, value] of entries) assertLabel(name, value);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Reads `name=value`. Throws `usage`. */
export function parseLabel(text: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 0) throw new KeysError('usage', `label ${quoted(text)} is not of the form name=value`, 'e.g. team=checkout');
  const label: [string, string] = [text.slice(0, at), text.slice(at + 1)];
  assertLabel(...label);
  return label;
}

/** Reads several labels. Throws `usage`, also where two of them give one name two values: which one is meant cannot be known. */
export function parseLabels(texts: readonly string[]): Labels {
  const labels = new Map<string, string>();
  for (const [name, value] of texts.map(parseLabel)) {
    const first = labels.get(name) ?? value;
    if (first !== value)
      throw new KeysError(
        'usage',
        `label ${name} is given twice, as ${quoted(first)} and as ${quoted(value)}`,
        'a label has one value; leave one of them out',
      );
    labels.set(name, value);
  }
  return normalizeLabels(Object.fromEntries(labels));
}

/** The label of every key that a manifest made or adopted: its value is the manifest's name. */
export const OWNER_LABEL = 'manifest';

/**
 * On a key from the moment that it is made until its key string has been handed out. A key that still carries it and was never used
 * reached nobody, and gives way to the next one. Its value is `pending`, or `pending:` and a word for the run that is handing it out.
 */
export const PENDING_LABEL = 'manifest/delivery';
export const PENDING = 'pending';

export const OWN_LABELS: readonly string[] = [OWNER_LABEL, PENDING_LABEL];

/** Labels without those that `apply` sets: what a copy of a key takes over. */
export function withoutOwnLabels(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !OWN_LABELS.includes(name)));
}

/** Labels without the mark of a key that is yet to be handed out. */
export function withoutPending({ [PENDING_LABEL]: _, ...labels }: Labels): Labels {
  return labels;
}
