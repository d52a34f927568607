import { FIELD_DEFAULTS } from '../../src/domain/api-key.js';
import type { AuditBody, KeyState } from '../../src/domain/audit.js';

/** An audit event, an edit of no key unless `fields` say otherwise. */
export function auditEvent(fields: Partial<AuditBody> = {}): AuditBody {
  return {
    actor: null,
    osUser: 'ops',
    host: 'h',
    tool: '0',
    at: '2026-11-23T10:00:00.000Z',
    action: 'key.edit',
    keyId: null,
    keyName: null,
    reason: null,
    before: null,
    after: null,
    ...fields,
  };
}

/** A test key in the form of the audit log. */
export const KEY_STATE: KeyState = {
  name: 'a',
  description: null,
  mode: 'test',
  scopes: ['plan:read'],
  status: 'active',
  rateLimit: '600/m',
  expiresAt: null,
  createdAt: '2026-11-23T10:00:00.000Z',
  credential: 'x',
  ...FIELD_DEFAULTS,
};
