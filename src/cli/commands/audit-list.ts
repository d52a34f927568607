import { AUDIT_ACTIONS } from '../../domain/audit.js';
import type { AuditPosition, AuditQuery, ChainedEvent } from '../../domain/audit-side.js';
import { KeysError } from '../../domain/errors.js';
import { parseSince, parseTimeout } from '../../domain/expiry.js';
import { quoted } from '../../domain/text.js';
import type { FollowOptions } from '../../keyring/audit-follow.js';
import type { Keyring } from '../../keyring/keyring.js';
import { examples, type Register } from '../command.js';
import { auditView } from '../output/views.js';
import type { Session } from '../session.js';
import { limitFlag, oneOf } from '../settings/global-flags.js';
import { readPosition } from '../targets/audit-row.js';

interface AuditListFlags {
  readonly key?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly after?: string;
  readonly follow?: boolean;
  readonly interval?: string;
}

const PAGE = 1000;

export const registerAuditList: Register = (audit, run) => {
  audit
    .command('list', { isDefault: true })
    .allowExcessArguments()
    .summary('the changes, oldest first; -o jsonl for machines')
    .description(
      'List changes, oldest first: time, OS user, claimed actor, action, key, before and after. A line of -o jsonl holds all that its hash covers: audit verify --file checks such lines without the store.',
    )
    .option('--key <key>', 'only changes to this key: id, name or start of the id; deleted keys and former names, too')
    .option('--actor <name>', 'only changes by this actor or OS user')
    .option('--action <action>', `only ${AUDIT_ACTIONS.join(', ')}`)
    .option('--since <when>', 'only changes since: 7d, a date or a time')
    .option(
      '--after <seq[:hash]>',
      'only changes after this row: SEQ, SEQ:HASH or a line of -o jsonl. Exits with 7 if the log does not contain it',
    )
    .option('--limit <n>', 'only the latest n changes; with --after, the first n')
    .option('--follow', 'keep printing new changes until Ctrl-C or SIGTERM; if the store does not answer, try again')
    .option('--interval <time>', 'with --follow: how often to look (default: 1s, remote 5s)')
    .addHelpText(
      'after',
      examples(
        'audit list --since 7d',
        'audit list --key partner-checkin -o jsonl',
        'audit list --actor alice@example.com --action key.delete',
        'audit list --after "$(tail -n 1 audit.jsonl)" -o jsonl >> audit.jsonl',
        'audit list --after "$(tail -n 1 audit.jsonl)" --follow -o jsonl >> audit.jsonl',
      ),
    )
    .action(run(list));
};

async function list(session: Session, flags: AuditListFlags): Promise<void> {
  const action = oneOf('--action', flags.action, AUDIT_ACTIONS);
  const since = flags.since === undefined ? undefined : parseSince(flags.since, session.now);
  const limit = limitFlag(flags.limit);
  const after = readPosition('--after', flags.after);
  const intervalMs = readInterval(session, flags);
  if (flags.follow) assertFollows(session, flags);
  const keyring = await session.keyring({ follow: flags.follow === true });
  const keyId = flags.key === undefined ? undefined : await keyring.auditKeyId(flags.key);
  const query = { keyId, actor: flags.actor, action, since };
  const { format, out } = session;
  const latest = after === null && limit !== undefined ? await keyring.auditList({ ...query, limit }) : null;
  if (flags.follow) {
    if (latest) await out.more(latest, auditView);
    return follow(session, keyring, latest?.at(-1) ?? after ?? { seq: 0 }, { query, intervalMs });
  }
  if (latest) return out.print(latest, auditView, { empty: 'No changes match.' });
  const pages = pagesAfter(keyring, after ?? { seq: 0 }, query, limit);
  if (format === 'jsonl' || format === 'value') {
    for await (const page of pages) await out.more(page, auditView);
    return;
  }
  const events: ChainedEvent[] = [];
  for await (const page of pages) events.push(...page);
  await out.print(events, auditView, { empty: 'No changes match.' });
}

async function* pagesAfter(
  keyring: Keyring,
  after: AuditPosition,
  query: AuditQuery,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly ChainedEvent[]> {
  let at = after;
  for (let left = limit, more = true; more && left > 0; ) {
    const page = await keyring.auditAfter(at, { ...query, limit: Math.min(PAGE, left) });
    yield page.events;
    left -= page.events.length;
    ({ next: at, more } = page);
  }
}

function readInterval(session: Session, { follow, interval }: AuditListFlags): number {
  if (interval === undefined) return session.settings.remote ? 5000 : 1000;
  if (!follow) throw new KeysError('usage', '--interval works with --follow only', 'audit list --follow');
  const ms = parseTimeout(interval, '--interval');
  if (ms < 100)
    throw new KeysError('usage', `--interval ${quoted(interval)} is shorter than 100ms`, 'pass 100ms or more');
  return ms;
}

function assertFollows({ format }: Session, { after, limit }: AuditListFlags): void {
  if (after !== undefined && limit !== undefined)
    throw new KeysError('usage', '--follow, --after and --limit do not go together', 'leave --limit out');
  if (format !== 'table' && format !== 'jsonl' && format !== 'value')
    throw new KeysError('usage', `--follow cannot print ${format}, which has an end`, 'pass -o jsonl or -o value');
}

/** Prints rows until a signal. */
async function follow(
  { ctx, out }: Session,
  keyring: Keyring,
  { seq, hash }: AuditPosition,
  options: Pick<FollowOptions, 'query' | 'intervalMs'>,
): Promise<void> {
  const ending = new AbortController();
  const end = ctx.onSignals(['SIGINT', 'SIGTERM'], () => {
    end(); // a second signal ends the process as signals do
    ending.abort();
  });
  try {
    await keyring.auditFollow({ seq, hash }, (events) => out.more(events, auditView), {
      ...options,
      signal: ending.signal,
      onTrouble: (error) => out.remark(error ? `warning: ${error.message}; trying again` : 'The store answers again'),
    });
  } finally {
    end();
  }
}
