import { check, index, integer, primaryKey, real, sql, sqliteTable, text, uniqueIndex } from './drizzle.js';

/**
 * The tables. `npx drizzle-kit generate` turns a change here into the next file of `drizzle/`; triggers and the first catalogue are
 * migrations written by hand. Times are milliseconds since 1970. How the fields of a key map to columns: `key-fields.ts`.
 */

/** `seq` is the order of creation (a clock may jump, `seq` does not). As the row id, it is the last column of every index below. */
export const apiKeys = sqliteTable(
  'api_keys',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    name: text('name').notNull(),
    /** The name in NFC and lower case; names are compared and kept unique by it. */
    nameKey: text('name_key').notNull(),
    description: text('description'),
    mode: text('mode', { enum: ['live', 'test'] }).notNull(),
    /** A JSON array, in catalogue order. */
    scopes: text('scopes').notNull(),
    status: text('status', { enum: ['active', 'inactive'] }).notNull(),
    rateLimit: integer('rate_limit').notNull(),
    rateWindowSeconds: integer('rate_window_seconds').notNull(),
    expiresAt: integer('expires_at'),
    /** For sorting and paging: keys that never expire come last. */
    expiryOrder: integer('expiry_order').generatedAlwaysAs(sql`ifnull(expires_at, 8640000000000000)`, {
      mode: 'virtual',
    }),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** The networks that the key works from, then the hash: `hash-column.ts`. */
    hash: text('hash').notNull(),
    guard: text('guard').notNull(),
    /** Name, description and id in lower case, for `--search`. Its index is scanned instead of the much wider rows. */
    searchText: text('search_text').notNull(),
    /** A JSON object of strings, sorted by name. */
    labels: text('labels').notNull().default('{}'),
    /** The ids of the key that this one replaced and of the one that replaces it. No references: either may be deleted. */
    rotatedFrom: text('rotated_from'),
    rotatedTo: text('rotated_to'),
  },
  (t) => [
    uniqueIndex('api_keys_id').on(t.id),
    uniqueIndex('api_keys_name').on(t.nameKey),
    index('api_keys_status').on(t.status),
    index('api_keys_mode').on(t.mode),
    // These name `seq`: a bound on (value, seq) uses the row id only if the index names it, and most keys share one value (no expiry).
    index('api_keys_expiry').on(t.expiryOrder, t.seq),
    index('api_keys_status_expiry').on(t.status, t.expiryOrder, t.seq),
    // In the order of creation, so that a search with many hits stops after a page; one without hits reads the whole index, but no rows.
    index('api_keys_search').on(t.seq, t.searchText),
    index('api_keys_rotating').on(t.seq).where(sql`rotated_to is not null`),
    check('api_keys_mode_known', sql`${t.mode} in ('live', 'test')`),
    check('api_keys_status_known', sql`${t.status} in ('active', 'inactive')`),
    check(
      'api_keys_scopes_array',
      sql`json_valid(${t.scopes}) and json_array_length(${t.scopes}) > 0 and instr(${t.scopes}, '*') = 0`,
    ),
    check('api_keys_rate_positive', sql`${t.rateLimit} > 0 and ${t.rateWindowSeconds} > 0`),
  ],
);

/** Which keys have a scope, for filtering. A trigger fills it from `api_keys.scopes`, which is authoritative. */
export const keyScopes = sqliteTable(
  'key_scopes',
  {
    scope: text('scope').notNull(),
    keySeq: integer('key_seq')
      .notNull()
      .references(() => apiKeys.seq, { onDelete: 'cascade' }),
  },
  (t) => [primaryKey({ columns: [t.scope, t.keySeq] }), index('key_scopes_key').on(t.keySeq)],
);

/** Which keys have a label, as `name=value`, for filtering. Triggers fill it from `api_keys.labels`, which is authoritative. */
export const keyLabels = sqliteTable(
  'key_labels',
  {
    label: text('label').notNull(),
    keySeq: integer('key_seq')
      .notNull()
      .references(() => apiKeys.seq, { onDelete: 'cascade' }),
  },
  (t) => [primaryKey({ columns: [t.label, t.keySeq] }), index('key_labels_key').on(t.keySeq)],
);

/** Last-used marks, apart from the key row, so that a mark never changes what a verdict reads. 0: never used. */
export const keyUsage = sqliteTable(
  'key_usage',
  {
    keySeq: integer('key_seq')
      .primaryKey()
      .references(() => apiKeys.seq, { onDelete: 'cascade' }),
    lastUsedAt: integer('last_used_at').notNull().default(0),
  },
  (t) => [index('key_usage_last_used').on(t.lastUsedAt, t.keySeq)],
);

/**
 * How often a key was used and refused, by UTC day (the number of days since 1970) and verdict, for 90 days. WITHOUT ROWID, which the migration
 * says. `detail`: what the last refusal of that day was about, such as the scope that was missing.
 */
export const keyDays = sqliteTable(
  'key_days',
  {
    keySeq: integer('key_seq')
      .notNull()
      .references(() => apiKeys.seq, { onDelete: 'cascade' }),
    day: integer('day').notNull(),
    verdict: text('verdict').notNull(),
    times: integer('times').notNull(),
    lastAt: integer('last_at').notNull(),
    detail: text('detail'),
  },
  (t) => [primaryKey({ columns: [t.keySeq, t.day, t.verdict] }), index('key_days_day').on(t.day)],
);

/** The servers that check keys of this store, whether they record use, and when they were heard of last. `batch`: their last report. */
export const recorders = sqliteTable('recorders', {
  id: text('id').primaryKey(),
  host: text('host').notNull(),
  records: integer('records', { mode: 'boolean' }).notNull(),
  since: integer('since').notNull(),
  seen: integer('seen').notNull(),
  ended: integer('ended', { mode: 'boolean' }).notNull(),
  batch: integer('batch').notNull(),
});

/** When any server recorded use, and when one checked keys without recording it. */
export const recorderSpans = sqliteTable(
  'recorder_spans',
  {
    records: integer('records', { mode: 'boolean' }).notNull(),
    since: integer('since').notNull(),
    until: integer('until').notNull(),
  },
  (t) => [primaryKey({ columns: [t.records, t.since] })],
);

/** Rate limits that several processes share: each key's theoretical arrival time (`domain/gcra.ts`), by the database's clock. */
export const keyRates = sqliteTable('key_rates', {
  keySeq: integer('key_seq')
    .primaryKey()
    .references(() => apiKeys.seq, { onDelete: 'cascade' }),
  tat: real('whole_at').notNull(),
});

/**
 * Keys that were deleted and can be restored, where nothing that looks for keys finds them. A row is dropped with the second change after
 * `kept_until`, by the database's clock.
 */
export const deletedKeys = sqliteTable(
  'deleted_keys',
  {
    /** The key's place in the order of creation, which it gets back. */
    seq: integer('seq').primaryKey(),
    id: text('id').notNull(),
    nameKey: text('name_key').notNull(),
    keptUntil: integer('kept_until').notNull(),
    /** A JSON object: every column of the key, by its name in this file, with hash, guard and last use. */
    record: text('record').notNull(),
  },
  (t) => [
    uniqueIndex('deleted_keys_id').on(t.id),
    index('deleted_keys_name').on(t.nameKey),
    index('deleted_keys_kept').on(t.keptUntil),
    check('deleted_keys_record_json', sql`json_valid(${t.record})`),
  ],
);

/**
 * ID tokens that were exchanged for keys, so that each is exchanged once, and the keys of each rule are counted. A row is dropped with the
 * first exchange after `kept_until`, by the database's clock.
 */
export const issuedKeys = sqliteTable(
  'issued_keys',
  {
    /** SHA-256 of what makes the token the only one of its kind. */
    token: text('token').primaryKey(),
    keyId: text('key_id').notNull(),
    rule: text('rule').notNull(),
    issuedAt: integer('issued_at').notNull(),
    keptUntil: integer('kept_until').notNull(),
  },
  (t) => [
    index('issued_keys_rule').on(t.rule, t.issuedAt),
    index('issued_keys_key').on(t.keyId),
    index('issued_keys_kept').on(t.keptUntil),
  ],
);

/** Settings of the whole store. `hash`: the scheme of new hashes; bcrypt when there is no row. */
export const storeSettings = sqliteTable('store_settings', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
});

export const scopes = sqliteTable('scopes', {
  position: integer('position').primaryKey(),
  scope: text('scope').notNull().unique(),
  category: text('category').notNull(),
  categoryLabel: text('category_label').notNull(),
  action: text('action').notNull(),
  retired: integer('retired', { mode: 'boolean' }).notNull().default(false),
});

/** Append-only and hash-chained. The triggers rely on `seq` being the only unique column. */
export const auditEvents = sqliteTable(
  'audit_events',
  {
    seq: integer('seq').primaryKey(),
    op: text('op').notNull(),
    body: text('body').notNull(),
    prev: text('prev').notNull(),
    hash: text('hash').notNull(),
    keyId: text('key_id').generatedAlwaysAs(sql`json_extract(body, '$.keyId')`, { mode: 'virtual' }),
    action: text('action').generatedAlwaysAs(sql`json_extract(body, '$.action')`, { mode: 'virtual' }),
    actor: text('actor').generatedAlwaysAs(sql`json_extract(body, '$.actor')`, { mode: 'virtual' }),
    osUser: text('os_user').generatedAlwaysAs(sql`json_extract(body, '$.osUser')`, { mode: 'virtual' }),
    at: text('at').generatedAlwaysAs(sql`json_extract(body, '$.at')`, { mode: 'virtual' }),
  },
  (t) => [
    index('audit_events_op').on(t.op),
    index('audit_events_key').on(t.keyId),
    check('audit_events_body_json', sql`json_valid(${t.body})`),
    check('audit_events_hash_form', sql`length(${t.hash}) = 64 and length(${t.prev}) = 64`),
  ],
);

/** The migrations that were applied. The highest version is the version of the schema. */
export const schemaMigrations = sqliteTable('schema_migrations', {
  version: integer('version').primaryKey(),
  tag: text('tag').notNull(),
  checksum: text('checksum').notNull(),
  appliedAt: integer('applied_at').notNull(),
});

/** What a row of the audit log is read from (`auditRowFromRow`). */
export const CHAIN_COLUMNS = {
  seq: auditEvents.seq,
  op: auditEvents.op,
  body: auditEvents.body,
  prev: auditEvents.prev,
  hash: auditEvents.hash,
};
