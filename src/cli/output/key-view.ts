import { type ApiKey, statusAt } from '../../domain/api-key.js';
import type { Creator } from '../../domain/change.js';
import { isoTime } from '../../domain/iso-time.js';
import { maskKey } from '../../domain/key-string.js';
import { NOTHING_RECORDED, type Recording } from '../../domain/use.js';
import { keyColumns } from './key-columns.js';
import { type Fields, fieldsOf, type View, view } from './view.js';

/** A time in JSON. */
export const timeOrNull = (at: Date | null | undefined) => (at ? isoTime(at) : null);

/** The public fields of a key. Their columns are in `key-columns.ts`. */
export function keyFields(now: Date, creators?: Creators): Fields<ApiKey> {
  return {
    id: {},
    name: {},
    description: {},
    maskedKey: { json: (key) => maskKey(key.mode, key.id) },
    mode: {},
    scopes: {},
    status: { json: (key) => statusAt(key, now) },
    rateLimit: {},
    expiresAt: { json: (key) => timeOrNull(key.expiresAt) },
    lastUsedAt: { json: (key) => timeOrNull(key.lastUsedAt) },
    createdAt: { json: (key) => isoTime(key.createdAt) },
    ...(creators && { createdBy: { json: (key: ApiKey) => creators.get(key.id) ?? null } }),
    updatedAt: { json: (key) => isoTime(key.updatedAt) },
    labels: {},
    allowFrom: {},
    rotatedFrom: {},
    rotatedTo: {},
  };
}

/** Who made keys, by their ids. */
export type Creators = ReadonlyMap<string, Creator>;

/** The public record of a key, as of `now`. `recording`: for tables, which say of a key without a mark whether it was never used. */
export function keyView(now: Date, recording: Recording = NOTHING_RECORDED): View<ApiKey> {
  return view('id', keyFields(now), () => keyColumns(now, recording));
}

/** The public record of a key as JSON prints it everywhere. */
export function keyJson(key: ApiKey, now: Date): Readonly<Record<string, unknown>> {
  return keyView(now).json(key);
}

/** What a command on several keys did to one of them. */
export interface TargetResult {
  readonly ref: string;
  readonly key: ApiKey | null;
  readonly changed: boolean;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export function targetResultView(now: Date): View<TargetResult> {
  return view('id', {
    ...fieldsOf<ApiKey, TargetResult>(keyView(now), ({ key }) => key),
    ref: {},
    changed: {},
    error: {},
  });
}
