import { appendToChain } from '../../src/domain/audit.js';
import { DEFAULT_ENGINE, rawDatabase } from './stores.js';

/** Adds rows to the log of a store as the tool does, but quickly. */
export async function fillLog(store: string, count: number): Promise<void> {
  const db = await rawDatabase(store, DEFAULT_ENGINE);
  const [[seq, hash, body] = []] = await db.rows('select seq, hash, body from audit_events order by seq desc limit 1');
  const event = { ...JSON.parse(String(body)), reason: 'x'.repeat(400) };
  await db.exec('begin');
  for (const row of appendToChain({ seq: Number(seq), hash: String(hash) }, 'fill', Array(count).fill(event)))
    await db.rows(
      'insert into audit_events (seq, op, body, prev, hash) values (?, ?, ?, ?, ?)',
      ...[row.seq, row.op, row.body, row.prev, row.hash],
    );
  await db.exec('commit');
}
