import type { KeyFieldName } from '../../domain/api-key.js';
import { safeJson } from '../../domain/text.js';
import type { NewKey } from '../../keyring/delivery.js';
import type { Output } from '../context.js';
import { keyJson } from '../output/key-view.js';
import type { Paint } from '../output/paint.js';
import type { Format } from '../settings/global-flags.js';

/** A new key of which not everything is known. */
export interface PartlyKnownKey extends NewKey {
  /** The fields that whoever made the key did not tell. Their values in `key` say nothing, and JSON has null. */
  readonly untold?: readonly KeyFieldName[];
}

interface NewKeysOptions {
  readonly now: Date;
  readonly format: Format;
  /** For JSON: only these fields. */
  readonly fields: readonly string[] | undefined;
  /** JSON is an array, whatever the number of keys. */
  readonly asList: boolean;
  /** For a person who looks at it. */
  readonly paint: Paint;
  /** stdout gets the key strings. Without them JSON still describes the keys. */
  readonly withKeyStrings: boolean;
}

/** Writes new keys to stdout: the key strings alone, one a line, or with a JSON format the whole keys. Throws the error of the system. */
export async function writeNewKeys(
  stdout: Output,
  made: readonly PartlyKnownKey[],
  options: NewKeysOptions,
): Promise<void> {
  const write = (text: string) => (stdout.writeWaiting ? stdout.writeWaiting(text) : stdout.write(text));
  const { format, asList, withKeyStrings, paint } = options;
  if (format === 'json' || format === 'jsonl') {
    const documents = made.map((each) => documentOf(each, options));
    const text =
      format === 'jsonl'
        ? documents.map((each) => safeJson(each)).join('\n')
        : safeJson(asList ? documents : documents[0], 2);
    await write(`${text}\n`);
  } else if (withKeyStrings) {
    const isLabelled = format === 'table' && stdout.isTTY && made.length > 1;
    const lines = made.flatMap(({ key, keyString }) => {
      if (keyString === null) return [];
      const shown = format === 'table' && stdout.isTTY ? paint.bold(keyString) : keyString; // a program gets no colours
      return [isLabelled ? `${shown}  ${key.name}\n` : `${shown}\n`];
    });
    await write(lines.join(''));
  }
}

/** The fields of a new key that other keys do not have. */
export const NEW_KEY_FIELDS = ['keyString', 'scopeChange'] as const;

function documentOf(
  { key, keyString, scopeChange = null, untold = [] }: PartlyKnownKey,
  { now, fields, withKeyStrings }: NewKeysOptions,
) {
  const own: Record<(typeof NEW_KEY_FIELDS)[number], unknown> = {
    keyString: withKeyStrings ? keyString : null,
    scopeChange,
  };
  const unknown = Object.fromEntries(untold.map((field) => [field, null]));
  const document: Record<string, unknown> = { ...keyJson(key, now), ...unknown, ...own };
  return fields ? Object.fromEntries(fields.map((field) => [field, document[field] ?? null])) : document;
}
