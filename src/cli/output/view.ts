import type { TableColumn } from './table.js';

/** How one kind of thing is printed in every format. `json` is a contract; tables are for people. */
export interface View<T> {
  /** The public fields, in order: the columns of CSV and TSV, the keys of JSON, the names that `--fields` takes. */
  readonly fields: readonly string[];
  json(item: T): Readonly<Record<string, unknown>>;
  /** The field that `-o value` prints when `--fields` names none. */
  readonly valueField: string;
  readonly columns: readonly TableColumn<T>[];
}

/** One public field: its value in JSON and, where the table shows it, its column. */
export interface Field<T> {
  /** The default is the property of the same name. */
  readonly json?: (item: T) => unknown;
  readonly column?: Omit<TableColumn<T>, 'field'>;
  /** The place of the column in the table, lowest first. The default is the order of the fields. */
  readonly place?: number;
  /** Not a public field: JSON and `--fields` do not have it. */
  readonly tableOnly?: true;
}

export type Fields<T> = Readonly<Record<string, Field<T>>>;

/** Columns by the names of their fields, in the order of the table. */
export type Columns<T> = Readonly<Record<string, Omit<TableColumn<T>, 'field'>>>;

function columnsIn<T>(fields: Fields<T>): TableColumn<T>[] {
  const all = Object.entries(fields).flatMap(([field, { column, place = 0 }]) =>
    column ? [{ column: { ...column, field }, place }] : [],
  );
  return all.sort((a, b) => a.place - b.place).map(({ column }) => column);
}

/**
 * Names each field once, for JSON, table and `--fields`. Only these are printed: a new property is not published by accident. `columns`: those of the
 * table, where the fields have none; made when a table is drawn.
 */
export function view<T extends object>(valueField: string, fields: Fields<T>, columns?: () => Columns<T>): View<T> {
  const published = Object.entries(fields).flatMap(([name, { json, tableOnly }]) =>
    tableOnly ? [] : [{ name, json }],
  );
  const blank: Record<string, unknown> = Object.fromEntries(published.map(({ name }) => [name, null]));
  return {
    fields: published.map(({ name }) => name),
    valueField,
    json(item) {
      const object = { ...blank }; // V8 makes a hash table of an object to which so many names are added
      for (const { name, json } of published) object[name] = json ? json(item) : item[name as keyof T];
      return object;
    },
    get columns() {
      if (!columns) return columnsIn(fields);
      return Object.entries(columns()).map(([field, column]) => ({ ...column, field }));
    },
  };
}

/** The fields of a view, for items that hold such a thing; all null where an item holds none. */
export function fieldsOf<Inner, T>(inner: View<Inner>, within: (item: T) => Inner | null): Fields<T> {
  const value = (item: T, field: string) => {
    const found = within(item);
    return found === null ? null : inner.json(found)[field];
  };
  return Object.fromEntries(inner.fields.map((field) => [field, { json: (item: T) => value(item, field) }]));
}
