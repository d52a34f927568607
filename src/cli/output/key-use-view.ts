import type { ApiKey } from '../../domain/api-key.js';
import { NOTHING_RECORDED, type Recording } from '../../domain/use.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { KeyUse } from '../../keyring/usage.js';
import type { Format } from '../settings/global-flags.js';
import { type Creators, keyFields } from './key-view.js';
import { type Fields, type View, view } from './view.js';

/** The fields of a key that servers count. */
const USE_FIELDS = ['usedLast30d', 'refusedLast30d', 'lastRefusedAt', 'lastRefusal', 'useRecordedSince'];

/** What is known about the use of some keys. */
export interface KnownUse {
  readonly recording: Recording;
  /** By key id; empty where nobody asked. */
  readonly uses: ReadonlyMap<string, KeyUse>;
}

const NOTHING_KNOWN: KnownUse = { recording: NOTHING_RECORDED, uses: new Map() };

/** Asks the store for what will be printed: the counts only where a field of them is. `keyring`: null where there is no store yet. */
export async function knownUse(
  keyring: Keyring | null,
  keys: readonly ApiKey[],
  { format, fields }: { readonly format: Format; readonly fields?: string | undefined },
): Promise<KnownUse> {
  if (keyring === null || keys.length === 0) return NOTHING_KNOWN;
  const wanted = fields?.split(',').map((field) => field.trim());
  const counts = wanted ? wanted.some((field) => USE_FIELDS.includes(field)) : format !== 'table' && format !== 'value';
  if (!counts) return { recording: await keyring.recording(), uses: new Map() };
  const { recording, uses } = await keyring.knownUse(keys);
  return { recording, uses: new Map(uses.map((use) => [use.key.id, use])) };
}

/** A count; null where nobody counted. */
function count(times: number | undefined, { recording }: KnownUse): number | null {
  return times === undefined || (times === 0 && recording.recorded.length === 0) ? null : times;
}

function keyUseFields(now: Date, known: KnownUse, creators?: Creators): Fields<ApiKey> {
  const of = ({ id }: ApiKey) => known.uses.get(id);
  return {
    ...keyFields(now, { recording: known.recording, creators }),
    usedLast30d: { json: (key) => count(of(key)?.used, known) },
    refusedLast30d: { json: (key) => count(of(key)?.refused, known) },
    lastRefusedAt: { json: (key) => of(key)?.lastRefusedAt?.toISOString() ?? null },
    lastRefusal: { json: (key) => of(key)?.lastRefusal ?? null },
    useRecordedSince: { json: (key) => of(key)?.recordedSince?.toISOString() ?? null },
  };
}

/** The public record of a key, with its use; with `creators`, also who made it. */
export function keyUseView(now: Date, known: KnownUse, creators?: Creators): View<ApiKey> {
  return view('id', keyUseFields(now, known, creators));
}
