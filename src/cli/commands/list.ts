import { type ApiKey, STATUSES } from '../../domain/api-key.js';
import { counted } from '../../domain/counted.js';
import { KeysError } from '../../domain/errors.js';
import { parseDuration } from '../../domain/expiry.js';
import { type KeyPage, type ListQuery, SORT_FIELDS, type SortField } from '../../domain/key-query.js';
import { MODES, type Mode } from '../../domain/key-string.js';
import { parseLabels } from '../../domain/labels.js';
import { splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import { isRecordedFrom, type Recording, recordedSince } from '../../domain/use.js';
import type { KeyReader } from '../../keyring/key-reader.js';
import { warnOfShown } from '../asking/lookalikes.js';
import { collect, examples, ONLY_LABEL, ONLY_MODE, type Register } from '../command.js';
import { answerCode, type ExitCode } from '../exit-code.js';
import {
  type KnownUse,
  keyUseView,
  knownFrom,
  NOTHING_KNOWN,
  printsCounts,
  printsCreators,
} from '../output/key-use-view.js';
import type { Creators } from '../output/key-view.js';
import type { Session } from '../session.js';
import { limitFlag, oneOf } from '../settings/global-flags.js';

interface ListFlags {
  readonly status?: string;
  readonly mode?: string;
  readonly scope?: string[];
  readonly search?: string;
  readonly label?: string[];
  readonly unusedFor?: string;
  readonly expiringWithin?: string;
  readonly rotating?: boolean;
  readonly deleted?: boolean;
  readonly neverExpires?: boolean;
  readonly olderThan?: string;
  readonly refused?: string;
  readonly undelivered?: boolean;
  readonly sort?: string;
  readonly limit?: string;
  readonly cursor?: string;
  readonly interactive?: boolean;
  readonly exitCode?: boolean;
}

function readQuery(flags: ListFlags, now: Date): Omit<ListQuery, 'now'> {
  const descending = flags.sort?.startsWith('-') ?? false;
  return {
    status: oneOf('--status', flags.status, STATUSES),
    mode: oneOf<Mode>('--mode', flags.mode, MODES),
    scopes: flags.scope && splitList(flags.scope),
    search: flags.search,
    labels: flags.label && parseLabels(flags.label),
    unusedSince:
      flags.unusedFor === undefined
        ? undefined
        : new Date(now.getTime() - parseDuration(flags.unusedFor, '--unused-for')),
    expiringBefore:
      flags.expiringWithin === undefined
        ? undefined
        : new Date(now.getTime() + parseDuration(flags.expiringWithin, '--expiring-within')),
    rotating: flags.rotating,
    neverExpires: flags.neverExpires,
    createdBefore:
      flags.olderThan === undefined
        ? undefined
        : new Date(now.getTime() - parseDuration(flags.olderThan, '--older-than')),
    refusedAtLeast: flags.refused === undefined ? undefined : readTimes(flags.refused),
    undelivered: flags.undelivered,
    sort: oneOf<SortField>('--sort', descending ? flags.sort?.slice(1) : flags.sort, SORT_FIELDS),
    descending,
    limit: limitFlag(flags.limit),
    cursor: flags.cursor,
  };
}

export const registerList: Register = (program, run) => {
  program
    .command('list')
    .alias('ls')
    .summary('list keys: mode, scopes, status, last use; -i manages them')
    .description('List keys, newest first. Key strings cannot be shown again.')
    .option('--status <status>', `only ${STATUSES.join(', ')}`)
    .option(...ONLY_MODE)
    .option('-s, --scope <scope>', 'only keys with this scope; repeat to require several scopes', collect)
    .option('--search <text>', 'only keys with this text in name, description or id')
    .option(...ONLY_LABEL)
    .option('--unused-for <time>', 'only keys that were not used for this long, e.g. 90d')
    .option('--expiring-within <time>', 'only active keys that expire in this time: 14d')
    .option('--rotating', 'only rotated keys that still work: in use? until when?')
    .option('--never-expires', 'only keys without an expiry')
    .option('--older-than <time>', 'only keys that were created longer ago, e.g. 365d')
    .option('--refused <n>', 'only keys refused at least n times in 30 days')
    .option('--undelivered', 'only keys that were created and never handed out')
    .option('--deleted', 'deleted keys that restore can bring back, until when')
    .option('--sort <field>', `${SORT_FIELDS.join(', ')}; a leading - reverses it`)
    .option('--limit <n>', 'at most n keys; the cursor for the rest is printed on stderr')
    .option('--cursor <cursor>', 'continue where the previous page ended')
    .option('-i, --interactive', 'pick a key and act on it')
    .option('--exit-code', 'exit with 7 when any key matches')
    .addHelpText(
      'after',
      examples(
        'list --status active --mode live',
        'list --unused-for 90d --sort last-used',
        'list --expiring-within 14d --exit-code',
        'list --rotating',
        'list -o value --fields id,name',
      ),
    )
    .action(run((session, flags: ListFlags) => list(session, flags)));
};

async function list(session: Session, flags: ListFlags): Promise<ExitCode> {
  if (flags.deleted) return listDeleted(session, flags);
  const query = readQuery(flags, session.now);
  const filtered =
    flags.status ??
    flags.mode ??
    flags.search ??
    flags.unusedFor ??
    flags.expiringWithin ??
    flags.rotating ??
    flags.neverExpires ??
    flags.olderThan ??
    flags.refused ??
    flags.undelivered ??
    flags.scope?.[0] ??
    flags.label?.[0];
  if (flags.interactive && !session.interactive)
    throw new KeysError(
      'usage',
      '--interactive needs a terminal',
      'without a terminal, use list, then show, disable or delete',
    );
  if (flags.interactive && !session.storeIsUnborn()) {
    const browsed = await (await import('./browse.js')).browse(session, query);
    if (browsed !== null) return browsed;
  }
  let page: Page = { keys: [], next: null, known: NOTHING_KNOWN, creators: new Map() };
  const isPart = filtered !== undefined || flags.cursor !== undefined || flags.limit !== undefined;
  let all: number | null = null;
  if (!session.storeIsUnborn()) {
    const reader = await session.reader();
    const counted = isPart && session.format === 'table' && !session.out.quiet;
    [page, all] = await Promise.all([readPage(session, reader, query), counted ? reader.count() : null]); // together: on a remote store each is a round trip
    if (page.keys.length === 0 && query.scopes && query.scopes.length > 0) {
      const { assertScopesExist } = await import('../targets/known-scopes.js');
      await assertScopesExist(await session.keyring(), query.scopes);
    }
  }
  all ??= page.keys.length;
  const empty =
    all === 0
      ? `No keys yet in ${session.store.value}. Create one: ${session.followUp('create')}`
      : `No keys match (0 of ${counted(all, 'key')}).`;
  if (flags.rotating) await printRotations(session, page.keys, empty);
  else {
    await session.out.print(page.keys, keyUseView(session.now, page.known, page.creators), {
      empty,
      asked: askedFields(flags),
    });
    if (session.format === 'table') await warnOfShown(session, page.keys);
    if (flags.unusedFor !== undefined) remarkUnknown(session, page.known.recording, query.unusedSince);
    if (flags.refused !== undefined) remarkUncounted(session, page.known.recording);
  }
  if (session.format === 'table' && session.ctx.stdout.isTTY && page.keys.length > 0)
    session.out.note(summary(page.keys, all));
  if (page.next) session.out.remark(`More keys follow: repeat with --cursor ${page.next}`);
  return flags.exitCode ? answerCode(page.keys.length === 0) : 0;
}

interface Page extends KeyPage {
  readonly known: KnownUse;
  readonly creators: Creators;
}

/** A page of keys, and of what is known beside them as much as is printed: of a server with one request, or with two at once. */
async function readPage(session: Session, reader: KeyReader, query: Omit<ListQuery, 'now'>): Promise<Page> {
  const printed = { format: session.format, fields: session.flags.fields };
  if (query.rotating) return { ...(await reader.list(query)), known: NOTHING_KNOWN, creators: new Map() };
  if (printsCounts(printed) || printsCreators(printed)) {
    const page = await reader.listWithUse(query);
    return { ...page, known: knownFrom(page) };
  }
  const [page, recording] = await Promise.all([reader.list(query), reader.recording()]);
  return { ...page, known: { recording, uses: new Map() }, creators: new Map() };
}

/** A key that nobody recorded looks unused. */
function remarkUnknown(session: Session, recording: Recording, from = session.now): void {
  if (isRecordedFrom(from, recording, session.now)) return;
  const since = recordedSince(recording, session.now);
  const known = since === null ? 'is not recorded now' : `has been recorded since ${since.toISOString()} only`;
  session.out.note(`Use ${known}: some of these keys may be in use.`);
}

/** Where nobody counted, no key looks refused. */
function remarkUncounted(session: Session, recording: Recording): void {
  if (recordedSince(recording, session.now) === null)
    session.out.note('Refusals are not counted now: some of the other keys may be refused, too.');
}

function readTimes(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new KeysError('usage', `--refused ${quoted(text)} is not a whole number from 1`, 'e.g. --refused 100');
}

/** The fields whose values decide which keys are shown, and in which order. */
function askedFields({ expiringWithin, unusedFor, scope, sort = '' }: ListFlags): string[] {
  return [
    ...(expiringWithin !== undefined || sort.endsWith('expires') ? ['expiresAt'] : []),
    ...(unusedFor !== undefined || sort.endsWith('last-used') ? ['lastUsedAt'] : []),
    ...(scope === undefined ? [] : ['scopes']),
  ];
}

async function printRotations(session: Session, keys: readonly ApiKey[], empty: string): Promise<void> {
  const { rotationView } = await import('../output/rotation-view.js');
  const rotations = keys.length === 0 ? [] : await (await session.keyring()).rotationsOf(keys);
  await session.out.print(rotations, rotationView(session.now), { empty });
}

async function listDeleted(session: Session, flags: ListFlags): Promise<ExitCode> {
  const { status, mode, scope, search, label, unusedFor, expiringWithin, rotating } = flags;
  const { neverExpires, olderThan, refused, undelivered, sort, limit, cursor, interactive } = flags;
  const filters = [status, mode, scope, search, label, unusedFor, expiringWithin, rotating];
  const others = [...filters, neverExpires, olderThan, refused, undelivered, sort, limit, cursor, interactive];
  if (others.some((each) => each !== undefined))
    throw new KeysError('usage', '--deleted does not go together with filters, --sort and --limit', 'list --deleted');
  const deletions = session.storeIsUnborn() ? [] : await (await session.keyring()).deletions();
  const { deletionView } = await import('../output/deletion-view.js');
  await session.out.print(deletions, deletionView(session.now), { empty: 'No deleted key can be restored.' });
  return answerCode(!(flags.exitCode && deletions.length > 0));
}

function summary(keys: readonly ApiKey[], all: number): string[] {
  const live = keys.filter((key) => key.mode === 'live').length;
  const count = keys.length === all ? counted(all, 'key') : `${keys.length} of ${counted(all, 'key')}`;
  return ['', `${count} (${live} live, ${keys.length - live} test)`];
}
