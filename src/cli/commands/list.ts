import type { ApiKey, DisplayStatus } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { parseDuration } from '../../domain/expiry.js';
import { type ListQuery, SORT_FIELDS, type SortField } from '../../domain/key-store.js';
import { MODES, type Mode } from '../../domain/key-string.js';
import { parseLabels } from '../../domain/labels.js';
import { splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import { collect, examples, type Register } from '../command.js';
import type { ExitCode } from '../exit-code.js';
import { oneOf } from '../flags.js';
import { keyView } from '../output/views.js';
import { answer, type Session } from '../session.js';
import { browse } from './browse.js';

interface ListFlags {
  readonly status?: string;
  readonly mode?: string;
  readonly scope?: string[];
  readonly search?: string;
  readonly label?: string[];
  readonly unusedFor?: string;
  readonly expiringWithin?: string;
  readonly rotating?: boolean;
  readonly sort?: string;
  readonly limit?: string;
  readonly cursor?: string;
  readonly interactive?: boolean;
  readonly exitCode?: boolean;
}

const STATUSES: readonly DisplayStatus[] = ['active', 'inactive', 'expired'];

export function readLimit(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,6}$/.test(value))
    throw new KeysError('usage', `--limit ${quoted(value)} is not a whole number from 1 to 9999999`);
  return Number(value);
}

function readQuery(flags: ListFlags, now: Date): Omit<ListQuery, 'now'> {
  const descending = flags.sort?.startsWith('-') ?? false;
  return {
    status: oneOf('--status', flags.status, STATUSES),
    mode: oneOf<Mode>('--mode', flags.mode, MODES),
    scopes: splitList(flags.scope ?? []),
    search: flags.search,
    labels: parseLabels(flags.label ?? []),
    unusedSince:
      flags.unusedFor === undefined
        ? undefined
        : new Date(now.getTime() - parseDuration(flags.unusedFor, '--unused-for')),
    expiringBefore:
      flags.expiringWithin === undefined
        ? undefined
        : new Date(now.getTime() + parseDuration(flags.expiringWithin, '--expiring-within')),
    rotating: flags.rotating,
    sort: oneOf<SortField>('--sort', descending ? flags.sort?.slice(1) : flags.sort, SORT_FIELDS),
    descending,
    limit: readLimit(flags.limit),
    cursor: flags.cursor,
  };
}

export const registerList: Register = (program, run) => {
  program
    .command('list')
    .alias('ls')
    .summary('keys: name, masked key, mode, scopes, status, last used, expiry')
    .description('List keys, newest first. The key strings themselves cannot be shown again.')
    .option('--status <status>', `only ${STATUSES.join(', ')}`)
    .option('--mode <mode>', 'only live or test keys')
    .option('-s, --scope <scope>', 'only keys that hold this scope; repeat for several', collect)
    .option('--search <text>', 'only keys with this in their name, description or id')
    .option('-l, --label <name=value>', 'only keys with this label; repeat for several', collect)
    .option('--unused-for <time>', 'only keys not used for so long, e.g. 90d')
    .option('--expiring-within <time>', 'only active keys that expire within, e.g. 14d')
    .option('--rotating', 'only keys that were rotated and still work: whether they are in use, and until when')
    .option('--sort <field>', `${SORT_FIELDS.join(', ')}; with a leading - in reverse`)
    .option('--limit <n>', 'at most n keys; the cursor for the rest is printed on stderr')
    .option('--cursor <cursor>', 'go on where the page before ended')
    .option('-i, --interactive', 'pick a key and act on it')
    .option('--exit-code', 'exit with 7 when any key matches (a gate for CI)')
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
  const query = readQuery(flags, session.now);
  const filtered =
    flags.status ??
    flags.mode ??
    flags.search ??
    flags.unusedFor ??
    flags.expiringWithin ??
    flags.rotating ??
    flags.scope?.[0] ??
    flags.label?.[0];
  const empty = filtered === undefined ? 'No keys yet. Make one: unlockos-keys create' : 'No key matches.';
  if (flags.interactive && !session.interactive)
    throw new KeysError(
      'usage',
      '--interactive needs a terminal',
      'without one, use list and then show, disable or delete',
    );
  let page: { keys: readonly ApiKey[]; next: string | null } = { keys: [], next: null };
  if (!session.storeIsUnborn()) page = await (await session.keyring()).list(query);
  if (flags.interactive && page.keys.length > 0) return browse(session, query);
  if (flags.rotating) await printRotations(session, page.keys, empty);
  else await session.print(page.keys, keyView(session.now), { empty });
  if (session.format === 'table' && session.ctx.stdout.isTTY && page.keys.length > 0) session.note(summary(page.keys));
  if (page.next) session.remark(`More keys follow: repeat with --cursor ${page.next}`);
  return answer(!(flags.exitCode && page.keys.length > 0));
}

async function printRotations(session: Session, keys: readonly ApiKey[], empty: string): Promise<void> {
  const { rotationView } = await import('../output/rotation-view.js');
  const rotations = [];
  for (const key of keys) rotations.push(await (await session.keyring()).rotationOf(key));
  await session.print(rotations, rotationView(session.now), { empty });
}

function summary(keys: readonly ApiKey[]): string[] {
  const live = keys.filter((key) => key.mode === 'live').length;
  return ['', `${keys.length} ${keys.length === 1 ? 'key' : 'keys'} (${live} live, ${keys.length - live} test)`];
}
