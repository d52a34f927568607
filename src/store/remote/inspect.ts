import type { Finding } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import { isLoopback } from '../../http/loopback.js';
import type { Rows, Statement } from '../database.js';
import { ASK, finding, integrityFindings, marksFinding, NOT_YET, schemaFinding, triggerFinding } from '../findings.js';
import type { Engine } from '../local/engines/engine.js';
import type { Migration } from '../migrations.js';
import { monotonic } from '../monotonic.js';
import { OBJECTS_OF_SCHEMA, objectsMadeBy, tablesFinding } from '../schema-text.js';
import { MARKS_AHEAD } from '../statements.js';
import type { RemoteAddress } from './address.js';
import { StatusError } from './faults.js';
import { type BatchResult, GarbledAnswer } from './hrana.js';

const ROUNDS = 5;
/** Times in the audit log come from the machine that makes a change. Clocks that differ by more than this make them misleading. */
const CLOCK_TOLERANCE_MS = 30_000;

const RESTORE = 'restore it on the server, or from a copy that was made with: unlockos-keys store copy';

interface Subject {
  readonly address: RemoteAddress;
  readonly token: string | undefined;
  readonly now: () => Date;
  readonly migrations: readonly Migration[];
}

type Ask = (statements: readonly Statement[], token?: string) => Promise<BatchResult>;

const plain = (sql: string): Statement => ({ sql, params: [] });

/** Throws for a statement without a result: a server that runs none of them is not a store. */
async function rowsOf(ask: Ask, sql: string): Promise<Rows> {
  const { steps, errors } = await ask([plain(sql)]);
  const [rows] = steps;
  if (!rows || errors[0]) throw new GarbledAnswer('a statement without a result');
  return rows;
}

/** Version, latency and encryption. Throws when the server does not answer. */
async function connectionFindings(ask: Ask, address: RemoteAddress): Promise<Finding[]> {
  const version = String((await rowsOf(ask, ASK.version))[0]?.[0]);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = monotonic();
    await ask([plain('SELECT 1 AS one')]);
    times.push(monotonic() - start);
  }
  const local = isLoopback(address.host);
  const median = times.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  return [
    finding('engine', true, `SQLite ${safeText(version)} behind a libSQL server`),
    finding('latency', true, `${median.toFixed(1)} ms per round trip (median of ${ROUNDS})`),
    finding(
      'encryption',
      address.secure || local,
      address.secure ? 'TLS, with the certificate checked' : local ? 'none, and not needed on this machine' : 'none',
      'put TLS in front of the server: tokens and hashes cross the network in plain text',
      'warning',
    ),
  ];
}

/** What the server permits without a token, and with ours. */
async function accessFindings(
  ask: Ask,
  token: string | undefined,
): Promise<{ findings: Finding[]; mayWrite: boolean }> {
  const open = await ask([plain('SELECT 1 AS one')], '').then(
    ({ steps }) => steps[0]?.[0]?.[0] === 1,
    (error) => {
      if (error instanceof StatusError) return false;
      throw error;
    },
  );
  const mayWrite = await ask(['BEGIN IMMEDIATE', 'CREATE TABLE unlockos_keys_probe (x)', 'ROLLBACK'].map(plain)).then(
    ({ steps, errors }) => errors[1] === null && steps[1] !== null,
    (error) => {
      if (error instanceof StatusError) return false;
      throw error;
    },
  );
  const access = open
    ? finding(
        'access',
        false,
        'the server answers without a token: anyone who can reach it can read and write',
        'start it with --auth-jwt-key-file',
      )
    : finding('access', true, 'the server requires a token');
  const may = finding(
    'token',
    true,
    token === undefined
      ? 'none, and not required'
      : mayWrite
        ? 'can read and write'
        : 'can only read: no changes and no last-used marks',
  );
  return { findings: [access, may], mayWrite };
}

async function clock(ask: Ask, now: () => Date): Promise<Finding> {
  const before = now().getTime();
  const rows = await rowsOf(ask, "SELECT unixepoch('subsec') * 1000.0 AS ms");
  const ours = (before + now().getTime()) / 2;
  const theirs = rows[0]?.[0];
  if (typeof theirs !== 'number') throw new GarbledAnswer('a time that is not a number');
  const apart = Math.abs(theirs - ours);
  return finding(
    'clock',
    apart <= CLOCK_TOLERANCE_MS,
    `differs from the server's by ${(apart / 1000).toFixed(1)} s`,
    'synchronize both clocks with NTP: times in the audit log and expiries come from the machine that makes a change',
    'warning',
  );
}

/** The findings of `doctor` and `store check` for a remote store. Changes nothing. */
export async function inspectRemote({ address, token, now, migrations }: Subject, ask: Ask): Promise<Finding[]> {
  const findings = await connectionFindings(ask, address);
  const { findings: access, mayWrite } = await accessFindings(ask, token);
  findings.push(...access, await clock(ask, now));
  const isStore = (await rowsOf(ask, ASK.tables))[0]?.[0] === 1;
  const applied = isStore ? await rowsOf(ask, ASK.applied) : null;
  const schema = applied ? schemaFinding(applied, migrations) : NOT_YET;
  findings.push(schema);
  if (mayWrite) {
    const problems = await rowsOf(ask, ASK.integrity).catch(() => null); // some hosts offer no pragmas
    const orphans = problems?.[0]?.[0] === 'ok' ? await rowsOf(ask, ASK.references) : [];
    if (problems) findings.push(...integrityFindings(problems, orphans, RESTORE));
  }
  if (schema.status === 'ok') {
    findings.push(
      triggerFinding(await rowsOf(ask, ASK.triggers), migrations),
      marksFinding(await rowsOf(ask, MARKS_AHEAD)),
    );
    const engine = await localEngine();
    if (engine) findings.push(tablesFinding(await rowsOf(ask, OBJECTS_OF_SCHEMA), objectsMadeBy(migrations, engine)));
  }
  return findings;
}

/** To find out how the schema should be; null where no engine works. */
async function localEngine(): Promise<Engine | null> {
  const { loadEngine } = await import('../local/engines/load.js');
  return loadEngine().catch(() => null);
}
