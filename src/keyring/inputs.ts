import { type ApiKey, STATUSES } from '../domain/api-key.js';
import { AUDIT_ACTIONS, type AuditHead } from '../domain/audit.js';
import type { AuditPosition, AuditQuery } from '../domain/audit-side.js';
import {
  abortSignal,
  type Check,
  callback,
  expiryTime,
  flag,
  listOf,
  number,
  oneOf,
  orNull,
  reading,
  recordOf,
  shape,
  text,
  texts,
  time,
  wholeNumber,
} from '../domain/checks.js';
import type { DeleteOptions } from '../domain/deletion.js';
import { KeysError } from '../domain/errors.js';
import { type ListQuery, SORT_FIELDS } from '../domain/key-query.js';
import { IF_EXISTS } from '../domain/key-store.js';
import { MODES } from '../domain/key-string.js';
import type { PolicyInput } from '../domain/policy.js';
import { rateLimitCheck } from '../domain/rate-limit.js';
import { scopeChangeCheck } from '../domain/scope-change.js';
import type { Needs } from '../domain/verdict.js';
import type { FollowOptions } from './audit-follow.js';
import type { ToDeliver } from './claim.js';
import type { CreateInput, CreateOptions } from './creation.js';
import type { LikeInput } from './like.js';
import type { CompleteInput } from './minting.js';
import type { AsSeen, ChangeOptions, EditInput } from './options.js';
import type { PruneQuery } from './prune.js';
import type { RotateInput } from './rotation.js';
import type { FinishOptions } from './rotation-status.js';
import type { UsageQuery } from './usage.js';

const mode = oneOf(MODES);
const labels = recordOf(text, 'strings');
const expiresAt = orNull(expiryTime);
const MAX_LIST = Number.MAX_SAFE_INTEGER;
/** The longest time that makes sense, in milliseconds: a hundred years. */
const MAX_MS = 100 * 366 * 86_400_000;

const newKeyFields = {
  name: text,
  description: orNull(text),
  mode,
  scopes: texts,
  rateLimit: rateLimitCheck,
  expires: text,
  expiresAt,
  labels,
  allowFrom: texts,
};
const createInput = shape<CreateInput>(newKeyFields, ['name', 'mode', 'scopes']);

export const keyRef: Check = (value, at) => {
  if (typeof value !== 'string' && !reading(at, () => isKey(value)))
    throw new KeysError('usage', `${at} must be a key id, a name, or a key that was looked up`);
};

const likeInput = shape<LikeInput>({ ...newKeyFields, like: keyRef, addScopes: texts, dropScopes: texts }, [
  'name',
  'like',
]);

export const createInputs: Check = listOf((value, at) => {
  const isLike = reading(at, () => typeof value === 'object' && value !== null && Object.hasOwn(value, 'like'));
  (isLike ? likeInput : createInput)(value, at);
}, 'keys to create');

/** The inputs in a plan: a program can have put them together itself. */
export const plannedInputs: Check = listOf(
  shape<CompleteInput>(
    {
      name: text,
      description: orNull(text),
      mode,
      scopes: texts,
      rateLimit: rateLimitCheck,
      expiresAt,
      labels,
      allowFrom: texts,
      rotatedFrom: orNull(text),
      scopeChange: scopeChangeCheck,
    },
    ['name', 'description', 'mode', 'scopes', 'rateLimit', 'expiresAt'],
  ),
  'keys to create',
);

export const createOptions = shape<CreateOptions>({
  ifExists: oneOf(IF_EXISTS),
  operationId: text,
  progress: callback,
});

export const makeOptions = shape<CreateOptions & ToDeliver>({
  ifExists: oneOf(IF_EXISTS),
  operationId: text,
  progress: callback,
  toDeliver: flag,
});

export const editInput = shape<EditInput>({
  name: text,
  description: orNull(text),
  rateLimit: rateLimitCheck,
  expires: text,
  expiresAt,
  labels,
  allowFrom: texts,
});

export const rotateInput = shape<RotateInput>(
  {
    description: orNull(text),
    rateLimit: rateLimitCheck,
    scopes: texts,
    addScopes: texts,
    dropScopes: texts,
    expires: text,
    expiresAt,
    labels,
    allowFrom: texts,
    overlapMs: number,
  },
  ['overlapMs'],
);

export const changeOptions = shape<ChangeOptions>({ operationId: text });
export const makeRotationOptions = shape<ChangeOptions & ToDeliver>({ operationId: text, toDeliver: flag });
export const deliverOptions = shape<ChangeOptions & { signal?: AbortSignal }>({
  operationId: text,
  signal: abortSignal,
});
export const disableOptions = shape<ChangeOptions & AsSeen & { reason?: string | null }>({
  operationId: text,
  asSeen: flag,
  reason: orNull(text),
});
export const deleteOptions = shape<ChangeOptions & AsSeen & DeleteOptions & { reason?: string | null }>({
  operationId: text,
  asSeen: flag,
  reason: orNull(text),
  purge: flag,
  leaked: flag,
});
export const restoreInput = shape<{ name?: string | undefined }>({ name: text });
/** For `edit` and `enable`. */
export const seenOptions = shape<ChangeOptions & AsSeen>({ operationId: text, asSeen: flag });
export const finishOptions = shape<FinishOptions & ChangeOptions>({
  operationId: text,
  quietForMs: wholeNumber(0, MAX_MS),
  force: flag,
});

export const listQuery = shape<Omit<ListQuery, 'now'>>({
  status: oneOf(STATUSES),
  mode,
  scopes: texts,
  search: text,
  labels,
  rotating: flag,
  unusedSince: time,
  expiringBefore: time,
  neverExpires: flag,
  createdBefore: time,
  refusedAtLeast: wholeNumber(1, MAX_LIST),
  undelivered: flag,
  sort: oneOf(SORT_FIELDS),
  descending: flag,
  limit: wholeNumber(1, MAX_LIST),
  cursor: text,
});

export const policyInput = shape<PolicyInput>({
  maxLifetime: shape<NonNullable<PolicyInput['maxLifetime']>>({ live: orNull(text), test: orNull(text) }),
  keepDeleted: text,
});

export const pruneQuery = shape<PruneQuery>({
  expired: flag,
  unusedSince: time,
  neverUsedBefore: time,
  mode,
  labels,
  force: flag,
});

export const lookedUpKeys: Check = (value, at) => listOf(lookedUpKey, 'keys')(value, at);

export const usageQuery: Check = (value, at) => {
  shape<UsageQuery>({ keys: listOf(lookedUpKey, 'keys'), since: time })(value, at);
};
export const usageByDayQuery = shape<Pick<UsageQuery, 'since'>>({ since: time });

export const auditQuery = shape<AuditQuery>({
  keyId: text,
  keyName: text,
  actor: text,
  action: oneOf(AUDIT_ACTIONS),
  since: time,
  limit: wholeNumber(1, MAX_LIST),
});

export const followOptions = shape<FollowOptions>({
  query: shape<NonNullable<FollowOptions['query']>>({
    keyId: text,
    keyName: text,
    actor: text,
    action: oneOf(AUDIT_ACTIONS),
    since: time,
  }),
  intervalMs: wholeNumber(100, 3_600_000),
  signal: abortSignal,
  onTrouble: callback,
});

export const auditPosition = shape<AuditPosition>({ seq: wholeNumber(0, Number.MAX_SAFE_INTEGER), hash: text }, [
  'seq',
]);

export const auditHead = shape<AuditHead>({ seq: wholeNumber(0, Number.MAX_SAFE_INTEGER), hash: text }, [
  'seq',
  'hash',
]);
export const auditAnchor = orNull(auditHead);

export const needs = shape<Needs>({ environment: mode, scopes: texts, address: text });

/** A key that was looked up: what a method needs of it, whatever else it has. */
function isKey(value: unknown): value is ApiKey {
  if (typeof value !== 'object' || value === null) return false;
  const { id, name, updatedAt } = value as Partial<ApiKey>;
  return typeof id === 'string' && typeof name === 'string' && updatedAt instanceof Date;
}

export const lookedUpKey: Check = (value, at) => {
  if (!reading(at, () => isKey(value)))
    throw new KeysError('usage', `${at} must be a key that was looked up`, 'await keyring.show(ref)');
};
