import type { Creator } from '../domain/change.js';
import type { Database, Rows, Statement } from './database.js';
import { PAGE_SIZE } from './key-pages.js';
import { ofOneStore } from './one-store.js';
import { of } from './raw-sql.js';
import { readRows } from './read-rows.js';

// Statements about some keys. Which ones is a query of ids, so that it can be a list of ids, or the page that the same request reads. Each gives a
// row for each id at most, which bounds how large the answer of a server may be.

/** These ids, as a query. */
export const idList = (ids: readonly string[]): Statement => ({
  ...of('select value from json_each(?)', JSON.stringify(ids)),
  most: ids.length,
});

/** The ids of the keys in the rows of these statements, as a query. */
export function idsIn(statements: readonly Statement[]): Statement {
  const text = statements.map(({ sql }) => `select id from (${sql})`).join(' union all ');
  const most = statements.reduce((sum, each) => sum + (each.most ?? Number.POSITIVE_INFINITY), 0);
  return { ...of(text, ...statements.flatMap(({ params }) => params)), most };
}

/** Key id, actor, OS user, and whether the actor is proven, of the first event of each key, which is its creation. */
export const creationsOf = (ids: Statement): Statement => ({
  ...of(
    `select key_id, actor, os_user, json_type(body, '$.proven'), min(seq) from audit_events where key_id in (${ids.sql}) group by key_id`,
    ...ids.params,
  ),
  most: ids.most,
});

/** Who made keys, by their ids: from the rows of {@link creationsOf}. */
export function creatorsFrom(rows: Rows): Map<string, Creator> {
  return new Map(
    rows.map(([id, actor, osUser, proven]) => [
      String(id),
      {
        actor: typeof actor === 'string' ? actor : null,
        osUser: String(osUser),
        ...(proven === 'object' && { proven: true }),
      },
    ]),
  );
}

/** See {@link KeyStore.creators}. */
export async function readCreators(db: Database, ids: readonly string[]): Promise<Map<string, Creator>> {
  return ofOneStore(db, async () => {
    const found = new Map<string, Creator>();
    for (let from = 0; from < ids.length; from += PAGE_SIZE) {
      const rows = await readRows(db, creationsOf(idList(ids.slice(from, from + PAGE_SIZE))));
      for (const [id, creator] of creatorsFrom(rows)) found.set(id, creator);
    }
    return found;
  });
}
