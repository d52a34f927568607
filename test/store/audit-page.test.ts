import { describe, expect, test } from 'vitest';
import { safeJson } from '../../src/domain/text.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { AuditLineCheck } from '../../src/keyring/line-check.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { ENGINES, rawDatabase } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

async function problemsOfLines(keyring: Keyring): Promise<readonly string[]> {
  const check = new AuditLineCheck(null);
  for (const event of await keyring.auditList()) check.line(safeJson(event), `row ${event.seq}`);
  return check.finish().problems;
}

describe.each(ENGINES)('%s', (engine) => {
  test('pages of the log follow each other, and each row follows the row that was noted', async () => {
    const keyring = await freshKeyring(engine);
    for (const name of ['a', 'b', 'c']) await make(keyring, name);
    await keyring.disable('b', { reason: 'geleakt: späte Schicht' });
    const all = await keyring.auditList();
    const head = await keyring.auditHead();
    const first = await keyring.auditAfter({ seq: 0 }, { limit: 2 });
    expect(first).toMatchObject({ events: all.slice(0, 2), more: true, next: { seq: 2, hash: all[1]?.hash } });
    const rest = await keyring.auditAfter(first.next);
    expect(rest).toEqual({ events: all.slice(2), more: false, next: head });
    expect(await keyring.auditAfter(head)).toEqual({ events: [], more: false, next: head });
    expect(await keyring.auditAfter({ seq: 3 }, { action: 'key.disable' })).toMatchObject({
      events: [all.at(-1)],
      next: head,
    });
    expect(await problemsOfLines(keyring)).toEqual([]);
  });

  test('a row that the log does not contain is refused, and damaged rows are passed on and found', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'a');
    const { seq, hash } = await keyring.auditHead();
    const other = 'f'.repeat(64);
    for (const after of [{ seq, hash: other }, { seq: seq + 1 }, { seq: seq + 1, hash }, { seq: 0, hash: other }])
      await expect(keyring.auditAfter(after)).rejects.toMatchObject({ code: 'anchor_missing' });
    await unguarded(
      await rawDatabase(keyring.location, engine),
      engine,
      "update audit_events set body = '[]' where seq = 2",
    );
    expect((await problemsOfLines(keyring))[0]).toBe(
      'row 2: audit row 2 was changed: its hash does not match its text',
    );
  });
});
