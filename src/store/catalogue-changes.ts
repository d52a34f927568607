import { canonicalJson, stateDifference } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import {
  changedPolicy,
  type PolicyInput,
  type PolicySettings,
  type StorePolicy,
  settingsOf,
} from '../domain/policy.js';
import type { CatalogueScope } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import type { ReadBack, Rows, Write } from './database.js';
import { and, eq, qb } from './drizzle.js';
import { noChange, type Planned } from './planned.js';
import { affectingRows, statement } from './query.js';
import { policyFromRows, scopesFromRows } from './rows.js';
import { scopes } from './schema.js';
import { allScopes, hashScheme, policyRows, setHashScheme, setSetting, unsetSetting } from './statements.js';

// What each change of the scope catalogue, of the hash scheme and of the policy writes, as `changes.ts` does for keys.

function cannotReadBack(what: string): KeysError {
  return new KeysError(
    'store_corrupt',
    `the change of ${what} was written but cannot be read back`,
    'unlockos-keys audit verify lists what is wrong',
  );
}

function readBackScope(scope: string, retired: boolean): ReadBack {
  return {
    statements: [allScopes({})],
    check([rows = []]) {
      if (scopesFromRows(rows).find((entry) => entry.scope === scope)?.retired !== retired)
        throw cannotReadBack(`scope ${scope}`);
    },
  };
}

function readBackScheme(scheme: StoreScheme): ReadBack {
  return {
    statements: [hashScheme({})],
    check([rows = []]) {
      if (rows[0]?.[0] !== scheme) throw cannotReadBack('the hash scheme');
    },
  };
}

function readBackPolicy(wanted: StorePolicy): ReadBack {
  return {
    statements: [policyRows({})],
    check([rows = []]) {
      if (canonicalJson(policyFromRows(rows)) !== canonicalJson(wanted)) throw cannotReadBack('the policy');
    },
  };
}

/** Sets the hash scheme, unless it is already set. */
export function planHashScheme(
  scheme: StoreScheme,
  before: string,
): Planned<{ scheme: StoreScheme; changed: boolean }> {
  if (scheme === before) return noChange({ scheme, changed: false });
  return {
    writes: [affectingRows(1, setHashScheme({ scheme }))],
    drafts: [{ action: 'store.hash', keyId: null, keyName: null, before: { scheme: before }, after: { scheme } }],
    result: { scheme, changed: true },
    readBack: readBackScheme(scheme),
  };
}

/** The writes that make the settings `before` the settings `after`. */
export function settingWrites(before: PolicySettings, after: PolicySettings): Write[] {
  return Object.entries(after)
    .filter(([name, value]) => before[name] !== value)
    .map(([name, value]) => affectingRows(1, value === null ? unsetSetting({ name }) : setSetting({ name, value })));
}

/** Changes the policy of the store, where it is another one. */
export function planPolicy(
  input: PolicyInput,
  settings: PolicySettings,
): Planned<{ policy: StorePolicy; changed: boolean }> {
  const wanted = changedPolicy(settings, input);
  const { before, after } = stateDifference(settings, settingsOf(wanted));
  if (Object.keys(after).length === 0) return noChange({ policy: wanted, changed: false });
  return {
    writes: settingWrites(settings, settingsOf(wanted)),
    drafts: [{ action: 'store.policy', keyId: null, keyName: null, before, after }],
    result: { policy: wanted, changed: true },
    readBack: readBackPolicy(wanted),
  };
}

/** The position of the last scope in rows of `allScopes`; 0 for an empty catalogue. */
export function lastPosition(rows: Rows): number {
  return Math.max(0, ...rows.map((row) => row[5] as number));
}

/** Adds a scope after position `last`. A known category keeps its label. Throws `conflict` when the scope is known. */
export function planAddScope(
  scope: string,
  categoryLabel: string | null,
  known: readonly CatalogueScope[],
  last: number,
): Planned<CatalogueScope> {
  if (known.some((entry) => entry.scope === scope))
    throw new KeysError('conflict', `scope ${quoted(scope)} is already in the catalogue`, 'unlockos-keys scopes list');
  const [category = '', action = ''] = scope.split(':');
  const label = known.find((entry) => entry.category === category)?.categoryLabel ?? categoryLabel ?? category;
  const insert = qb.insert(scopes).values({ position: last + 1, scope, category, categoryLabel: label, action });
  return {
    writes: [affectingRows(1, statement(insert))],
    drafts: [{ action: 'scope.add', keyId: null, keyName: null, before: null, after: { scope, categoryLabel: label } }],
    result: { scope, category, categoryLabel: label, action, retired: false },
    readBack: readBackScope(scope, false),
  };
}

/** Retires a scope, unless it is retired. Throws `not_found`. */
export function planRetireScope(
  scope: string,
  known: readonly CatalogueScope[],
): Planned<{ scope: CatalogueScope; changed: boolean }> {
  const found = known.find((entry) => entry.scope === scope);
  if (!found)
    throw new KeysError('not_found', `scope ${quoted(scope)} is not in the catalogue`, 'unlockos-keys scopes list');
  if (found.retired) return noChange({ scope: found, changed: false });
  const update = qb
    .update(scopes)
    .set({ retired: true })
    .where(and(eq(scopes.scope, scope), eq(scopes.retired, false)));
  return {
    writes: [affectingRows(1, statement(update))],
    drafts: [
      {
        action: 'scope.retire',
        keyId: null,
        keyName: null,
        before: { scope, retired: false },
        after: { scope, retired: true },
      },
    ],
    result: { scope: { ...found, retired: true }, changed: true },
    readBack: readBackScope(scope, true),
  };
}
