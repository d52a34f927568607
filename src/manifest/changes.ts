import { canonicalJson } from '../domain/audit.js';
import type { KeyPatch } from '../domain/key-store.js';
import { formatRateLimit } from '../domain/rate-limit.js';
import { PENDING_LABEL } from './manifest.js';
import type { DesiredKey, Step } from './steps.js';

/** The fields that differ, before and after. */
export type Changes = Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>;

/** The fields that a step changes, in the form of JSON output. */
export function changesOf(step: Step): Changes {
  switch (step.action) {
    case 'add-scope':
      return { scope: { before: null, after: step.scope } };
    case 'retire-scope':
      return { retired: { before: false, after: true } };
    case 'edit':
      return {
        ...(step.patch.name !== undefined && { name: { before: step.key.name, after: step.patch.name } }),
        ...difference(fieldsOf(step.key), fieldsOf({ ...step.key, ...defined(step.patch) })),
      };
    case 'enable':
      return { status: { before: 'inactive', after: 'active' } };
    case 'disable':
      return { status: { before: 'active', after: 'inactive' } };
    case 'create':
      return difference({}, fieldsOf(step.desired));
    case 'replace':
      return difference(fieldsOf(step.key), fieldsOf(step.desired));
    case 'rotate': {
      const { key, scopes, expiresAt = key.expiresAt } = step;
      return difference(fieldsOf(key), fieldsOf({ ...key, scopes, expiresAt }));
    }
    case 'delete':
      return { name: { before: step.key.name, after: null } };
  }
}

function defined(patch: KeyPatch): Partial<DesiredKey> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}

function fieldsOf(key: DesiredKey): Record<string, unknown> {
  const { [PENDING_LABEL]: _, ...labels } = key.labels;
  return {
    description: key.description,
    mode: key.mode,
    scopes: key.scopes,
    rateLimit: formatRateLimit(key.rateLimit),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    labels,
    allowFrom: key.allowFrom.length === 0 ? null : key.allowFrom,
  };
}

function difference(before: Record<string, unknown>, after: Record<string, unknown>): Changes {
  const changed = Object.keys(after).filter(
    (field) => canonicalJson(before[field] ?? null) !== canonicalJson(after[field]),
  );
  return Object.fromEntries(
    changed.map((field) => [field, { before: before[field] ?? null, after: after[field] ?? null }]),
  );
}
