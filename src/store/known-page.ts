import type { KnownPage, ListQuery } from '../domain/key-query.js';
import type { KeyStore } from '../domain/key-store.js';
import { creationsOf, creatorsFrom, idsIn } from './by-ids.js';
import type { Database } from './database.js';
import { pageFrom, pageStatements } from './key-pages.js';
import { ofOneStore } from './one-store.js';
import { recordingFrom, totalsFromRow } from './use-rows.js';
import { IDS_AT_ONCE, RECORDERS, SPANS, totalsOf } from './use-statements.js';
import { USE_SINCE } from './versions.js';

// A page of keys with what is known beside them. Where each read is a round trip, all of it is one.

async function inOneRead(db: Database, query: ListQuery, sinceDay: number): Promise<KnownPage> {
  const { statements, order } = pageStatements(query);
  const ids = idsIn(statements);
  const beside = [SPANS, RECORDERS, totalsOf(ids, sinceDay), creationsOf(ids)];
  const rows = await db.read([...statements, ...beside]);
  const [spans = [], recorders = [], totals = [], creations = []] = rows.splice(statements.length);
  return {
    ...pageFrom(rows.flat(), query, order),
    recording: recordingFrom([spans, recorders]),
    totals: new Map(totals.map(totalsFromRow)),
    creators: creatorsFrom(creations),
  };
}

/** See {@link KeyStore.listKnown}. */
export async function knownPage(
  db: Database,
  store: Pick<KeyStore, 'list' | 'creators' | 'use'>,
  query: ListQuery,
  sinceDay: number,
): Promise<KnownPage> {
  if (db.remote && query.limit !== undefined && query.limit < IDS_AT_ONCE) {
    try {
      return await inOneRead(db, query, sinceDay);
    } catch (error) {
      if ((db.seenVersion() ?? USE_SINCE) >= USE_SINCE) throw error; // else it has no counts, and the statement could not run
    }
  }
  return ofOneStore(db, async () => {
    const page = await store.list(query);
    const ids = page.keys.map(({ id }) => id);
    const [known, creators] = await Promise.all([store.use.known(ids, sinceDay), store.creators(ids)]);
    return { ...page, ...known, creators };
  });
}
