import type { Credential } from '../domain/credential.js';
import type { Exchange, Exchanged, ExchangeRefusal } from '../domain/issue.js';
import type { NewKey } from '../domain/key-store.js';
import { planCreate } from './changes.js';
import { credentialFromRow } from './credential-row.js';
import type { Rows, Statement, Write } from './database.js';
import { type Keeping, planDelete } from './deleted-changes.js';
import { noChange, type Planned } from './planned.js';
import { CLOCK, NOW, of, timeOfLast } from './raw-sql.js';
import { policyFromRows, timeFromRows } from './rows.js';

// The statements about ID tokens that were exchanged for keys. They are counted and written under the lock of the change that makes the key.

/** A clock that was wrong once forgets no token that may be shown again: the change before must agree that its time has come. */
const FORGET_PAST = `delete from issued_keys where kept_until <= min(?, ${timeOfLast('')})`;
const SPENT = 'select key_id from issued_keys where token = ?';
/** How many keys of a rule work, and when the next of them ends. */
const ALIVE = `select count(*), min(k.expires_at) from issued_keys i join api_keys k on k.id = i.key_id where i.rule = ? and k.status = 'active' and k.expires_at > ${NOW}`;
/** How many keys a rule has made in a time that ends now, and when the first of them. */
const RECENT = `select count(*), min(issued_at) from issued_keys where rule = ? and issued_at > ${NOW} - ?`;
/** No row may change, so the key gets another one, of no token. */
const COUNT_TAKEN_BACK =
  'insert into issued_keys (token, key_id, rule, issued_at, kept_until) select ?, key_id, rule, issued_at, kept_until from issued_keys where key_id = ?';

/** Since when this store knows which tokens are spent: it was restored or copied then. */
const COMPLETE_SINCE = "select value from store_settings where name = 'tokens-since'";
/** By how much the clock of a provider may be ahead of ours. */
const TOLERANCE_MS = 30_000;

/** Notes that tokens that were spent before now are not known here. */
export const FORGETS_TOKENS: Write = {
  ...of(
    `insert into store_settings (name, value) values ('tokens-since', cast(${NOW} as text)) on conflict (name) do update set value = excluded.value`,
  ),
  rows: 1,
};

const windowMs = ({ pace }: Exchange) => pace.windowSeconds * 1000;

/** What {@link refusalOf} judges by. */
export function exchangeReads(exchange: Exchange): Statement[] {
  return [
    { ...of(SPENT, exchange.token), most: 1 },
    { ...of(ALIVE, exchange.rule), most: 1 },
    { ...of(RECENT, exchange.rule, windowMs(exchange)), most: 1 },
    CLOCK,
    { ...of(COMPLETE_SINCE), most: 1 },
  ];
}

/** Why an exchange is refused; null where it is not. */
export function refusalOf(rows: readonly Rows[], exchange: Exchange): ExchangeRefusal | null {
  const [spent = [], alive = [], recent = [], clock = [], since = []] = rows;
  const now = timeFromRows(clock);
  if (now >= exchange.tokenEnds.getTime()) return { refused: 'over' };
  if (spent[0]) return { refused: 'spent', keyId: String(spent[0][0]) };
  const complete = Number(since[0]?.[0] ?? 0);
  if (exchange.tokenIssued.getTime() < complete + TOLERANCE_MS) return { refused: 'early', since: new Date(complete) };
  const [active, nextEnd] = alive[0] as [number, number];
  if (active >= exchange.maxAlive) return { refused: 'alive', retryAfterMs: Math.max(0, nextEnd - now) };
  const [made, first] = recent[0] as [number, number];
  if (made >= exchange.pace.limit)
    return { refused: 'pace', retryAfterMs: Math.max(0, first + windowMs(exchange) - now) };
  return null;
}

/** Creates a key for a token, and notes that the token is spent. Throws `name_taken` and, for a life that is too long, `guarded`. */
export function planExchange(key: NewKey, exchange: Exchange, rows: readonly Rows[], at: Date): Planned<Exchanged> {
  const refusal = refusalOf(rows, exchange);
  if (refusal) return noChange<Exchanged>(refusal);
  const [, , , clock = [], , found = [], policy = []] = rows;
  const now = timeFromRows(clock);
  const namesakes = found.map((row) => ({ seq: row[0] as number, ...credentialFromRow(row) }));
  const made = planCreate([key], namesakes, { policy: policyFromRows(policy), now }, at);
  const keptUntil = Math.max(exchange.tokenEnds.getTime(), now + windowMs(exchange), key.expiresAt?.getTime() ?? now);
  const writes: Write[] = [
    { ...of(FORGET_PAST, now), rows: null },
    {
      ...of(
        'insert into issued_keys (token, key_id, rule, issued_at, kept_until) values (?, ?, ?, ?, ?)',
        ...[exchange.token, key.id, exchange.rule, now, keptUntil],
      ),
      rows: 1,
    },
  ];
  const [stored] = made.result;
  if (!stored) throw new Error('one key was asked for');
  return { ...made, writes: [...made.writes, ...writes], result: { refused: null, key: stored.key } };
}

/**
 * Deletes a key that nobody got, and forgets that its token was spent. It goes on to count in the pace of its rule: else a job that never
 * waits for its answer would have keys made without end.
 */
export function planTakeBack(found: Credential, keeping: Keeping): Planned<void> {
  const { id } = found.key;
  const deletion = planDelete(found, keeping);
  const counted = id.padStart(64, '-'); // as long as the digest of a token, and that of none
  const writes: Write[] = [
    { ...of(COUNT_TAKEN_BACK, counted, id), rows: null }, // before the key is deleted, because the database refuses a row without it
    { ...of('delete from issued_keys where key_id = ? and token <> ?', id, counted), rows: null },
  ];
  return { ...deletion, writes: [...writes, ...deletion.writes], result: undefined };
}
