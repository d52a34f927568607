import { check, index, integer, primaryKey, real, sql, sqliteTable, text, uniqueIndex } from './drizzle.js';

/**
 * The one place with column names. `npx drizzle-kit generate` turns a change here into the next file of `drizzle/`; triggers and the
 * seed of the catalogue are a hand-written migration beside it. Times are milliseconds since 1970.
 */

/** `seq` is the order of creation (a clock may jump, it does not), and as the row id it closes every index below. */
export const apiKeys = sqliteTable(
  'api_keys',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    name: text('name').notNull(),
    /** NFC, lower case: what names are compared by. */
    nameKey: text('name_key').notNull(),
    description: text('description'),
    mode: text('mode', { enum: ['live', 'test'] }).notNull(),
    /** A JSON array, in catalogue order. */
    scopes: text('scopes', { mode: 'json' }).$type<string[]>().notNull(),
    status: text('status', { enum: ['active', 'inactive'] }).notNull(),
    rateLimit: integer('rate_limit').notNull(),
    rateWindowSeconds: integer('rate_window_seconds').notNull(),
    expiresAt: integer('expires_at'),
    /** For sorting and paging: a key that never expires comes after every key that does. */
    expiryOrder: integer('expiry_order').generatedAlwaysAs(sql`ifnull(expires_at, 8640000000000000)`, {
      mode: 'virtual',
    }),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    hash: text('hash').notNull(),
    guard: text('guard').notNull(),
    /** Name, description and id, folded, for `--search`: its index is scanned in place of the much wider rows. */
    searchText: text('search_text').notNull(),
    /** A JSON object of texts, its names in order. */
    labels: text('labels').notNull().default('{}'),
    /** The key that this one was made to replace, and the one that replaces it. Ids, for a key may be deleted. */
    rotatedFrom: text('rotated_from'),
    rotatedTo: text('rotated_to'),
  },
  (t) => [
    uniqueIndex('api_keys_id').on(t.id),
    uniqueIndex('api_keys_name').on(t.nameKey),
    index('api_keys_status').on(t.status),
    index('api_keys_mode').on(t.mode),
    // `seq` closes these by name: a bound on (value, seq) uses the row id only where the index says so, and most keys never expire.
    index('api_keys_expiry').on(t.expiryOrder, t.seq),
    index('api_keys_status_expiry').on(t.status, t.expiryOrder, t.seq),
    // In the order of creation, so that a search that finds much stops at a page; one that finds nothing reads it all, but not the rows.
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

/** Which keys hold a scope, for filtering; filled by a trigger from `api_keys.scopes`, which stays the truth. */
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

/** Which keys carry a label, as `name=value`, for filtering; filled by triggers from `api_keys.labels`, which stays the truth. */
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

/** Last-used marks live apart from the key row, so that marking never touches what a verdict reads. 0 is never. */
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

/** Rate limits that several processes share: the time at which a key's limit is whole again (domain/gcra.ts), by the database's clock. */
export const keyRates = sqliteTable('key_rates', {
  keySeq: integer('key_seq')
    .primaryKey()
    .references(() => apiKeys.seq, { onDelete: 'cascade' }),
  wholeAt: real('whole_at').notNull(),
});

/** What holds for the store as a whole. `hash`: the scheme of new hashes; bcrypt where there is no row. */
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

/** Append-only and hash-chained; the triggers count on `seq` being the only unique column. */
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

/** Which migrations this store has seen. The highest version is the schema's version. */
export const schemaMigrations = sqliteTable('schema_migrations', {
  version: integer('version').primaryKey(),
  tag: text('tag').notNull(),
  checksum: text('checksum').notNull(),
  appliedAt: integer('applied_at').notNull(),
});
