import type { Database, Rows, Statement } from './database.js';

/** The rows of one query, with all that is committed. */
export async function readRows(db: Database, query: Statement): Promise<Rows> {
  const [rows = []] = await db.read([query], { fresh: true });
  return rows;
}
