/** The fields of a key in JSON, CSV and `--fields`, in order: a contract with scripts. */
export const KEY_FIELDS = [
  'id',
  'name',
  'description',
  'maskedKey',
  'mode',
  'scopes',
  'status',
  'rateLimit',
  'expiresAt',
  'lastUsedAt',
  'createdAt',
  'updatedAt',
  'labels',
  'allowFrom',
  'rotatedFrom',
  'rotatedTo',
];

/** The fields that `list` and `show` have besides, from what servers count. */
export const USE_FIELDS = ['usedLast30d', 'refusedLast30d', 'lastRefusedAt', 'lastRefusal', 'useRecordedSince'];
