import type { ApiKey } from '../../domain/api-key.js';
import { NOTHING_RECORDED, type Recording } from '../../domain/use.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { KeyUse } from '../../keyring/usage.js';
import type { Format } from '../settings/global-flags.js';
import { keyColumns } from './key-columns.js';
import { type Creators, keyFields, timeOrNull } from './key-view.js';
import { type Fields, type View, view } from './view.js';

/** The fields of a key that servers count. */
const USE_FIELDS = ['usedLast30d', 'refusedLast30d', 'lastRefusedAt', 'lastRefusal', 'useRecordedSince'];

/** What is known about the use of some keys. */
export interface KnownUse {
  readonly recording: Recording;
  /** By key id; empty where nobody asked. */
  readonly uses: ReadonlyMap<string, KeyUse>;
}

export const NOTHING_KNOWN: KnownUse = { recording: NOTHING_RECORDED, uses: new Map() };

/** How something is printed. */
interface Printed {
  readonly format: Format;
  /** As `--fields` has them. */
  readonly fields?: string | undefined;
}

/** Whether a field that tables do not have is printed. */
function prints(named: readonly string[], { format, fields }: Printed): boolean {
  if (fields === undefined) return format !== 'table' && format !== 'value';
  return fields.split(',').some((field) => named.includes(field.trim()));
}

export const printsCounts = (printed: Printed) => prints(USE_FIELDS, printed);
export const printsCreators = (printed: Printed) => prints(['createdBy'], printed);

/** By key id, as {@link keyUseView} takes it. */
export function knownFrom({
  recording,
  uses,
}: {
  readonly recording: Recording;
  readonly uses: readonly KeyUse[];
}): KnownUse {
  return { recording, uses: new Map(uses.map((use) => [use.key.id, use])) };
}

/** Asks the store for what will be printed: the counts only where a field of them is. */
export async function knownUse(keyring: Keyring, keys: readonly ApiKey[], printed: Printed): Promise<KnownUse> {
  return printsCounts(printed)
    ? knownFrom(await keyring.knownUse(keys))
    : { recording: await keyring.recording(), uses: new Map() };
}

/** A count; null where nobody counted. */
function count(times: number | undefined, { recording }: KnownUse): number | null {
  return times === undefined || (times === 0 && recording.recorded.length === 0) ? null : times;
}

function keyUseFields(now: Date, known: KnownUse, creators?: Creators): Fields<ApiKey> {
  const of = ({ id }: ApiKey) => known.uses.get(id);
  return {
    ...keyFields(now, creators),
    usedLast30d: { json: (key) => count(of(key)?.used, known) },
    refusedLast30d: { json: (key) => count(of(key)?.refused, known) },
    lastRefusedAt: { json: (key) => timeOrNull(of(key)?.lastRefusedAt) },
    lastRefusal: { json: (key) => of(key)?.lastRefusal ?? null },
    useRecordedSince: { json: (key) => timeOrNull(of(key)?.recordedSince) },
  };
}

/** The public record of a key, with its use; with `creators`, also who made it. */
export function keyUseView(now: Date, known: KnownUse, creators?: Creators): View<ApiKey> {
  return view('id', keyUseFields(now, known, creators), () => keyColumns(now, known.recording));
}
