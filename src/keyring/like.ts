import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import { readExpiry } from '../domain/expiry.js';
import type { NewKey, Prospect } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import { withoutOwnLabels } from '../domain/labels.js';
import { withinLifetime } from '../domain/policy.js';
import { type ScopeRequest, scopeChange, scopesFrom } from '../domain/scope-change.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import type { CreateInput } from './creation.js';
import { sameLifetime } from './lifetime.js';
import { describeKey } from './references.js';

/** A key to create that is like another one. What is left out is as it is there; the lifetime, too, counted from now. */
export interface LikeInput extends Partial<Omit<CreateInput, 'name' | 'mode' | 'scopes'>>, ScopeRequest {
  readonly name: string;
  /** The other key, or what names it. Nothing of it changes. */
  readonly like: string | ApiKey;
  readonly mode?: Mode | undefined;
}

/** Throws `usage` for a scope that no new key can have, unless another one is dropped instead. */
function assertOpen(scopes: readonly string[], template: ApiKey, catalogue: readonly CatalogueScope[]): void {
  const retired = catalogue.filter((entry) => entry.retired && scopes.includes(entry.scope)).map(({ scope }) => scope);
  if (retired.length > 0)
    throw new KeysError(
      'usage',
      `${describeKey(template)} has ${retired.join(', ')}, which ${retired.length === 1 ? 'is' : 'are'} retired: no new key can have ${retired.length === 1 ? 'it' : 'them'}`,
      `leave ${retired.length === 1 ? 'it' : 'them'} out: --drop-scope ${retired.join(',')}`,
    );
}

/** Throws `usage` for a key whose expiry is the end of an overlap: how long it was made to live is no longer known. */
function lifetimeFrom(template: ApiKey, now: Date): Date | null {
  if (template.rotatedTo === null) return sameLifetime(template, now);
  throw new KeysError(
    'usage',
    `${describeKey(template)} was rotated: its expiry is the end of its overlap, not its lifetime`,
    `pass --expires, or take the key that replaced it: --like ${template.rotatedTo}`,
  );
}

/** The key to create in full. Its lifetime is that of the template, or the longest that the store allows. Throws `conflict` for a template that is damaged, and what {@link scopesFrom} throws. */
export function inputLike(
  template: ApiKey,
  input: LikeInput,
  { catalogue, policy }: Pick<Prospect, 'catalogue' | 'policy'>,
  now: Date,
): CreateInput & Pick<NewKey, 'scopeChange'> {
  if (template.damaged)
    throw new KeysError(
      'conflict',
      `${describeKey(template)} is damaged: its ${template.damaged.join(', ')} cannot be read`,
      `name every property of ${quoted(input.name)} instead`,
    );
  const scopes = scopesFrom({ title: describeKey(template), scopes: template.scopes }, input, catalogue);
  if (input.scopes === undefined) assertOpen(scopes, template, catalogue);
  const expiresAt = readExpiry(input, now);
  const mode = input.mode ?? template.mode;
  return {
    name: input.name,
    description: input.description === undefined ? template.description : input.description,
    mode,
    scopes,
    rateLimit: input.rateLimit ?? template.rateLimit,
    expiresAt: expiresAt === undefined ? withinLifetime(policy, mode, lifetimeFrom(template, now), now) : expiresAt,
    labels: input.labels ?? withoutOwnLabels(template.labels),
    allowFrom: input.allowFrom ?? template.allowFrom,
    scopeChange: scopeChange(template.id, template.scopes, scopes),
  };
}
