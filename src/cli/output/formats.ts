import { KeysError } from '../../domain/errors.js';
import { quoted, safeJson, safeText } from '../../domain/text.js';
import type { Format } from '../settings/global-flags.js';
import type { View } from './view.js';

/** Reads `--fields a,b`. Throws `usage` that lists the fields; `--fields help` is a way to see them. */
export function readFields(
  view: Pick<View<unknown>, 'fields'>,
  flag: string | undefined,
): readonly string[] | undefined {
  if (flag === undefined) return undefined;
  const wanted = flag.split(',').map((field) => field.trim());
  const unknown = wanted.find((field) => !view.fields.includes(field));
  if (unknown !== undefined)
    throw new KeysError('usage', `no field ${quoted(unknown)}`, `--fields takes: ${view.fields.join(', ')}`);
  return wanted;
}

function narrowed(
  json: Readonly<Record<string, unknown>>,
  fields: readonly string[] | undefined,
): Readonly<Record<string, unknown>> {
  return fields === undefined ? json : Object.fromEntries(fields.map((field) => [field, json[field] ?? null]));
}

/** One cell of CSV or TSV: a list joined by spaces, nothing for null, an object as JSON. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(cell).join(' ');
  return safeText(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/** Where a formula may begin: at the start of a cell, and behind what some spreadsheets take for a separator or a quote. */
const FORMULA = /(^|[;,|"'])(?=[\s\u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** A cell of CSV that no spreadsheet runs: an apostrophe stands before each formula in it (OWASP, "CSV Injection"). */
function inert(text: string): string {
  return text.replace(FORMULA, (before) => `${before}'`);
}

/**
 * Renders items in any format but `table`. `single` prints one thing: a bare object in JSON, instead of an array. CSV cells that a
 * spreadsheet would run as a formula are escaped, see {@link inert}.
 */
export async function renderData<T>(
  items: readonly T[],
  view: View<T>,
  format: Exclude<Format, 'table'>,
  options: { fields?: string | undefined; single?: boolean },
): Promise<string> {
  const fields = readFields(view, options.fields);
  const rows = items.map((item) => narrowed(view.json(item), fields));
  switch (format) {
    case 'json':
      return `${safeJson(options.single ? rows[0] : rows, 2)}\n`;
    case 'yaml':
      return (await import('./yaml-text.js')).safeYaml(options.single ? rows[0] : rows);
    case 'jsonl':
      return rows.map((row) => `${safeJson(row)}\n`).join('');
    case 'value':
      return rows
        .map((row) => `${(fields ?? [view.valueField]).map((field) => cell(row[field])).join('\t')}\n`)
        .join('');
    default: {
      const { stringify } = await import('csv-stringify/sync');
      const columns = [...(fields ?? view.fields)];
      const shown = format === 'csv' ? (value: unknown) => inert(cell(value)) : cell;
      const records = rows.map((row) => columns.map((column) => shown(row[column])));
      return stringify(records, {
        header: true,
        columns,
        delimiter: format === 'csv' ? ',' : '\t',
      });
    }
  }
}
