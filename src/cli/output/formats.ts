import { KeysError } from '../../domain/errors.js';
import { quoted, safeJson, safeText } from '../../domain/text.js';
import type { Format } from '../flags.js';
import type { TableColumn } from './table.js';

/** How one kind of thing is printed in every format. `json` is the contract; tables are for people. */
export interface View<T> {
  /** The public fields, in order: the columns of CSV and TSV, the keys of JSON, what `--fields` may name. */
  readonly fields: readonly string[];
  json(item: T): Readonly<Record<string, unknown>>;
  /** The field that `-o value` prints when `--fields` names none. */
  readonly valueField: string;
  readonly columns: readonly TableColumn<T>[];
}

/** Reads `--fields a,b`; throws `usage` listing what there is, also for `help`. */
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

/** One cell of CSV or TSV: lists joined by a blank, nothing for null, objects as JSON. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(cell).join(' ');
  return safeText(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/**
 * Everything but `table`: the text of a whole answer. `single` answers one thing: a bare object in JSON, instead of an array.
 * CSV cells that a spreadsheet would run as a formula are quoted away (csv-stringify's `escape_formulas`, after OWASP "CSV Injection").
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
      const records = rows.map((row) => columns.map((column) => cell(row[column])));
      return stringify(records, {
        header: true,
        columns,
        delimiter: format === 'csv' ? ',' : '\t',
        escape_formulas: format === 'csv',
      });
    }
  }
}
