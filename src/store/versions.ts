// The versions of the schema, and what a store says of them.

/** The schema version that this code reads and writes: the number of migrations in `drizzle/` (a test compares the two). */
export const SCHEMA_VERSION = 13;

/**
 * The oldest schema that this code can read: later migrations added nothing that a read needs. A migration that adds such a thing, like a column
 * of a key, makes this its own number.
 */
export const READABLE_FROM = 4;

/**
 * The oldest schema that a tool must know to read a store of this version, which each store says of itself: servers of the version before go
 * on. Count it up with a migration that changes the meaning of what is there.
 */
export const MIN_READER = 4;

/** The schema with which stores began to have settings. */
export const SETTINGS_SINCE = 3;

/** The schema with which stores began to count use. */
export const USE_SINCE = 6;

/** The name of the first migration. A table `schema_migrations` that begins with another name belongs to another program. */
export const FIRST_TAG = '0000_tables';
