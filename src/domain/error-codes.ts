/**
 * Every failure that this package foresees, with what it means and the exit code of a command that ends in it. Scripts may rely on the
 * code; the message is for people. A new code is added here and nowhere else, and to the table in docs/library.md, which a test compares.
 */
export const ERRORS = {
  usage: { exit: 2, means: 'an argument, an option or a file is not valid' },
  missing_input: { exit: 2, means: 'something required was not given' },
  not_found: { exit: 3, means: 'there is no such key or scope' },
  ambiguous: { exit: 3, means: 'several keys match the reference' },
  unauthorized: { exit: 4, means: 'the server refused the token, or no token was given' },
  pepper_missing: { exit: 4, means: 'the pepper that a hash needs was not given' },
  marks_refused: { exit: 4, means: 'the store may not be written to, so nobody would know when its keys are used' },
  name_taken: { exit: 5, means: 'a key with this name exists' },
  scopes_fixed: { exit: 5, means: 'the scopes of a key cannot be changed' },
  conflict: { exit: 5, means: 'the store is not in the state that the change expects' },
  anchor_missing: {
    exit: 7,
    means: 'the audit log does not contain a row that was noted: it was cut, rebuilt, or is another log',
  },
  confirmation_required: { exit: 6, means: 'the change was not confirmed' },
  guarded: {
    exit: 6,
    means: 'a guard refused the change: a test-only keyring, a protected profile, a key in use, a policy',
  },
  unsafe_path: { exit: 6, means: 'other users can read or replace the file' },
  store_missing: { exit: 8, means: 'there is no store at this place' },
  store_busy: { exit: 8, means: 'another process held the lock for too long' },
  store_full: { exit: 8, means: 'the disk or the database is full' },
  store_read_only: { exit: 8, means: 'the store cannot be written to' },
  store_corrupt: { exit: 8, means: 'the store is damaged, or was changed behind its audit log' },
  store_foreign: { exit: 8, means: 'the database belongs to another program' },
  store_older: { exit: 8, means: 'an older version of this package created the store, and it must be upgraded' },
  store_newer: { exit: 8, means: 'a newer version of this package created the store' },
  store_incomplete: { exit: 8, means: 'the store is the target of an unfinished copy' },
  store_unavailable: { exit: 8, means: 'the store did not answer' },
  issue_unavailable: { exit: 8, means: 'the server that issues keys did not answer, or has no key to give now' },
  outcome_unknown: { exit: 10, means: 'the store did not answer, and the change may have been made' },
  delivery_failed: { exit: 1, means: 'a new key string could not be delivered, so its key was disabled' },
  output_failed: { exit: 1, means: 'the output could not be written; what the command changed stands' },
  listen_failed: { exit: 1, means: 'the server could not listen on its address' },
  partial: { exit: 9, means: 'some changes of several failed' },
  cancelled: { exit: 130, means: 'the user cancelled' },
  internal: { exit: 1, means: 'a bug in this package' },
} as const;

/** What went wrong, for programs. */
export type ErrorCode = keyof typeof ERRORS;
