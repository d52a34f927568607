import type { RawDatabase } from './raw-database.js';
import type { EngineName } from './stores.js';

/**
 * Runs statements as if the store had no triggers, and puts them back as they were: damage that no version of the tool can do. In a local
 * file not even the constraints of the tables hold.
 */
export async function unguarded(db: RawDatabase, engine: EngineName, ...statements: string[]): Promise<void> {
  const triggers = await db.rows("select name, sql from sqlite_master where type = 'trigger'");
  await db.exec(...triggers.map(([name]) => `drop trigger ${name}`));
  if (engine !== 'sqld') await db.exec('pragma ignore_check_constraints = on');
  await db.exec(...statements);
  if (engine !== 'sqld') await db.exec('pragma ignore_check_constraints = off');
  await db.exec(...triggers.map(([, sql]) => String(sql)));
}
