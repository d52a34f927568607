import { type ApiKey, isUndelivered } from '../../domain/api-key.js';
import { DEFAULT_RATE_LIMIT, describeRateLimit, type RateLimit } from '../../domain/rate-limit.js';
import { type ScopeChange, scopeChangeText } from '../../domain/scope-change.js';
import { quoted } from '../../domain/text.js';
import type { CreatedKey, CreatePlan } from '../../keyring/creation.js';
import { listed } from './listed.js';

interface NewKeyDetails {
  readonly scopes: readonly string[];
  readonly rateLimit?: RateLimit | undefined;
  readonly expiresAt?: Date | null | undefined;
  readonly allowFrom?: readonly string[] | undefined;
  readonly scopeChange?: ScopeChange | null | undefined;
}

/** How the scopes of a new key differ from those of another, on a line; none where they do not. */
export function scopeChangeLines(change: ScopeChange | null | undefined): string[] {
  return change ? [`  Difference  ${scopeChangeText(change)} (compared with ${change.from})`] : [];
}

/** What `create` and `rotate` say of a new key on stderr, a line for each property. */
export function details(key: NewKeyDetails): string[] {
  const { scopes, scopeChange, rateLimit = DEFAULT_RATE_LIMIT, expiresAt, allowFrom = [] } = key;
  return [
    `  Scopes      ${scopes.join(', ')}`,
    ...scopeChangeLines(scopeChange),
    `  Rate limit  ${describeRateLimit(rateLimit)}`,
    `  Expires     ${expiresAt?.toISOString() ?? 'never'}`,
    ...(allowFrom.length === 0 ? [] : [`  Addresses   ${allowFrom.join(', ')}`]),
  ];
}

/** What `create` is about to do, as a person or a dry run sees it. */
export function planLines({ inputs, replaced, unfinished, kept }: CreatePlan, store: string): string[] {
  const [first] = inputs;
  if (!first) return [];
  return [
    `  Name        ${listed(inputs.map(({ name }) => name))}`,
    `  Description ${first.description ?? '—'}`,
    `  Mode        ${first.mode === 'live' ? 'LIVE' : 'TEST'}`,
    ...details(first),
    `  Store       ${store}`,
    ...[...replaced, ...unfinished].map(({ name, id }) => `  Replaces    ${quoted(name)} (${id})`),
    ...kept.map(({ name, id }) => `  Exists      ${quoted(name)} (${id}), and is kept`),
  ];
}

/** What `create` did, before the key strings are delivered. */
export function createdLines(all: readonly CreatedKey[]): string[] {
  const kept = all.filter(({ keyString }) => keyString === null);
  const created = all.filter(({ keyString }) => keyString !== null);
  const [first] = created;
  return [
    ...kept.map(({ key }) => `Kept key ${quoted(key.name)} (${key.id}), which already exists`),
    ...all.flatMap(({ replaced }) => (replaced ? [replacedLine(replaced)] : [])),
    ...(first
      ? [`Created ${newKeysText(created)}`, ...details({ ...first.key, scopeChange: first.scopeChange }), '']
      : []),
  ];
}

function replacedLine(replaced: ApiKey): string {
  return isUndelivered(replaced)
    ? `Replaced key ${replaced.id}, which an earlier run created and did not deliver`
    : `Deleted key ${quoted(replaced.name)} (${replaced.id}), which the new key replaces`;
}

function newKeysText(created: readonly CreatedKey[]): string {
  const [first, another] = created.map(({ key }) => key);
  const mode = first?.mode === 'live' ? 'LIVE' : 'TEST';
  if (first && !another) return `${mode} key ${quoted(first.name)} (${first.id})`;
  return `${created.length} ${mode} keys: ${listed(created.map(({ key }) => key.name))}`;
}
