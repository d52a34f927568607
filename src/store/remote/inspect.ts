import type { Finding } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import type { Rows, Statement } from '../database.js';
import { ASK, finding, integrityFindings, NOT_YET, schemaFinding, triggerFinding } from '../findings.js';
import type { Migration } from '../migrations.js';
import { isLoopback, type RemoteAddress } from './address.js';
import { StatusError } from './faults.js';
import { type BatchAnswer, GarbledAnswer } from './hrana.js';

const ROUNDS = 5;
/** Times in the audit log come from the machine that makes a change; this much apart they mislead. */
const CLOCK_TOLERANCE_MS = 30_000;

const RESTORE = 'restore it on the server, or from a copy made by: unlockos-keys store copy';

interface Subject {
  readonly address: RemoteAddress;
  readonly token: string | undefined;
  readonly now: () => Date;
  readonly migrations: readonly Migration[];
}

type Ask = (statements: readonly Statement[], token?: string) => Promise<BatchAnswer>;

const plain = (sql: string): Statement => ({ sql, params: [] });

/** Throws for a statement that was not run: whoever runs none of them is no store. */
async function rowsOf(ask: Ask, sql: string): Promise<Rows> {
  const { steps, errors } = await ask([plain(sql)]);
  const [rows] = steps;
  if (!rows || errors[0]) throw new GarbledAnswer('a statement without an answer');
  return rows;
}

/** The way there: reachability, latency, encryption. Throws when nobody answers. */
async function way(ask: Ask, address: RemoteAddress): Promise<Finding[]> {
  const version = String((await rowsOf(ask, ASK.version))[0]?.[0]);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await ask([plain('SELECT 1 AS one')]);
    times.push(performance.now() - start);
  }
  const local = isLoopback(address.host);
  const median = times.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  return [
    finding('engine', true, `SQLite ${safeText(version)} behind a libSQL server`),
    finding('latency', true, `${median.toFixed(1)} ms for a round trip (median of ${ROUNDS})`),
    finding(
      'encryption',
      address.secure || local,
      address.secure ? 'TLS, with the certificate checked' : local ? 'none, and none needed on this machine' : 'none',
      'put TLS in front of the server: tokens and hashes cross the network readable',
      'warning',
    ),
  ];
}

/** What a stranger may do, and what we may. */
async function rights(ask: Ask, token: string | undefined): Promise<{ findings: Finding[]; mayWrite: boolean }> {
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
        'the server answers without a token: whoever reaches it can read and write',
        'start it with --auth-jwt-key-file',
      )
    : finding('access', true, 'the server asks for a token');
  const may = finding(
    'token',
    true,
    token === undefined
      ? 'none, and none is needed'
      : mayWrite
        ? 'may read and write'
        : 'may read only: no changes, and no last-used marks',
  );
  return { findings: [access, may], mayWrite };
}

async function clock(ask: Ask, now: () => Date): Promise<Finding> {
  const before = now().getTime();
  const rows = await rowsOf(ask, "SELECT unixepoch('subsec') * 1000.0 AS ms");
  const ours = (before + now().getTime()) / 2;
  const theirs = rows[0]?.[0];
  if (typeof theirs !== 'number') throw new GarbledAnswer('a time that is none');
  const apart = Math.abs(theirs - ours);
  return finding(
    'clock',
    apart <= CLOCK_TOLERANCE_MS,
    `${(apart / 1000).toFixed(1)} s apart from the server's`,
    'set this clock or the server’s by NTP: times in the audit log and expiries come from the machine that acts',
    'warning',
  );
}

/** What `doctor` and `store check` say of a remote store. Changes nothing. */
export async function inspectRemote({ address, token, now, migrations }: Subject, ask: Ask): Promise<Finding[]> {
  const findings = await way(ask, address);
  const { findings: access, mayWrite } = await rights(ask, token);
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
  if (schema.status === 'ok') findings.push(triggerFinding(await rowsOf(ask, ASK.triggers), migrations));
  return findings;
}
