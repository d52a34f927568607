import path from 'node:path';
import type { ApiKey } from '../../domain/api-key.js';
import { statusAt } from '../../domain/api-key.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { type Mode, maskKey, parseKeyString, redactKeyStrings } from '../../domain/key-string.js';
import { quoted, safeText } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { Hit } from '../../scan/index.js';
import { collect, examples, type Register } from '../command.js';
import { ANSWER_NO, type ExitCode } from '../exit-code.js';
import type { View } from '../output/formats.js';
import { statusText } from '../output/views.js';
import type { Session } from '../session.js';

interface ScanFlags {
  readonly stdin?: boolean;
  readonly staged?: boolean;
  readonly gitHistory?: boolean;
  readonly all?: boolean;
  readonly ignore: boolean;
  readonly offline?: boolean;
  readonly disable?: boolean;
  readonly confirm?: string[];
  readonly rules?: string;
}

/** A key string that was found. It holds the secret, and is never printed. */
interface Found {
  readonly keyString: string;
  readonly checksum: 'good' | 'bad';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly commit: string | null;
}

/** A place that could not be searched. */
interface Unreadable {
  readonly file: string;
  readonly why: string;
}

/** What `--disable` came to: the keys as they are now, whether each is off, by id, and how many could not be switched off. */
interface Disabled {
  readonly keys: Map<string, ApiKey>;
  readonly disabled: Map<string, boolean>;
  failed: number;
}

interface Finding extends Omit<Found, 'keyString'> {
  readonly id: string;
  readonly mode: Mode;
  readonly key: ApiKey | null;
  /** What `--disable` did; null where that was not asked for. */
  readonly disabled: boolean | null;
}

export const registerScan: Register = (program, run) => {
  program
    .command('scan')
    .summary('find key strings in files, staged changes or git history')
    .description(
      'Find key strings of this API, by their form and their checksum, and say where they are and whose: never the secret. Exit 7 when any was found, 9 when something could not be read. Files that git ignores are passed over, and so are binary ones.',
    )
    .argument('[path...]', 'files, and directories with all below (default: the current directory)')
    .option('--stdin', 'read stdin')
    .option('--staged', 'what git commit would add')
    .option('--git-history', 'every line that any commit of any branch ever added')
    .option('--all', 'report key strings with a wrong checksum as well: cut, mistyped or made up')
    .option('--no-ignore', 'read what .gitignore leaves out')
    .option('--offline', 'ask no store whose keys they are')
    .option('--disable', 'disable the keys whose secret is genuine, at once')
    .option('--confirm <name>', 'in a protected profile: the name of a key to disable, typed ahead', collect)
    .option('--rules <tool>', 'print a rule for gitleaks, trufflehog, secretlint, github or pre-commit')
    .addHelpText(
      'after',
      examples(
        'scan                              # this directory',
        'scan --staged --offline           # in a pre-commit hook',
        'scan --git-history --disable      # a repository that leaked',
        'scan --stdin < build.log',
        'scan --rules gitleaks >> .gitleaks.toml',
      ),
    )
    .action(run((session, flags: ScanFlags, paths: string[]) => scan(session, flags, paths)));
};

async function scan(session: Session, flags: ScanFlags, paths: string[]): Promise<ExitCode | undefined> {
  const { RULES } = await import('../../scan/index.js');
  if (flags.rules !== undefined) {
    const rule = Object.hasOwn(RULES, flags.rules) ? RULES[flags.rules] : undefined;
    if (rule === undefined)
      throw new KeysError(
        'usage',
        `--rules ${quoted(flags.rules)} is unknown`,
        `one of: ${Object.keys(RULES).join(', ')}`,
      );
    session.ctx.stdout.write(rule);
    return undefined;
  }
  if (flags.disable && flags.offline)
    throw new KeysError('usage', '--disable needs a store', 'leave --offline out, and name the store');
  const { found, unreadable } = await search(session, flags, paths);
  const wanted = found.filter(({ checksum }) => checksum === 'good' || flags.all);
  const { keys, done, failure } = await askStore(session, flags, wanted);
  const findings = wanted.map((each): Finding => {
    const { keyString, ...place } = each;
    const { id, mode } = saidOf(keyString);
    const disabled = flags.disable ? (done?.disabled.get(id) ?? false) : null;
    return { ...place, id, mode, key: done?.keys.get(id) ?? keys.get(id) ?? null, disabled };
  });
  await session.print(findings, findingView(session.now), { empty: 'No key string was found.' });
  for (const { file, why } of unreadable) session.remark(`warning: could not read ${file} (${why})`);
  if (failure) throw failure;
  if (done && done.failed > 0) return 9;
  if (findings.some(({ checksum }) => checksum === 'good')) return ANSWER_NO;
  return unreadable.length > 0 ? 9 : undefined;
}

async function search(
  session: Session,
  flags: ScanFlags,
  paths: readonly string[],
): Promise<{ found: Found[]; unreadable: Unreadable[] }> {
  const ways = [flags.stdin, flags.staged, flags.gitHistory, paths.length > 0].filter(Boolean).length;
  if (ways > 1)
    throw new KeysError('usage', 'paths, --stdin, --staged and --git-history do not go together', 'one at a time');
  const { Finder, scanHistory, scanPath, scanStaged } = await import('../../scan/index.js');
  const { cwd } = session.ctx;
  const found = new Map<string, Found>();
  const unreadable: Unreadable[] = [];
  // One finding for a place, however often it is named. A file's own name may hold a key string too.
  const note = (hit: Hit, file: string, commit: string | null = null) =>
    found.set(JSON.stringify([commit, file, hit.line, hit.column]), { ...hit, file: redactKeyStrings(file), commit });
  if (flags.stdin) {
    const finder = new Finder();
    for (const piece of session.ctx.stdin.pieces()) for (const hit of finder.feed(piece)) note(hit, '-');
    for (const hit of finder.end()) note(hit, '-');
  } else if (flags.staged || flags.gitHistory) {
    for await (const each of flags.staged ? scanStaged(cwd) : scanHistory(cwd)) {
      if (each.kind === 'hit') note(each.hit, each.file, each.commit);
      else unreadable.push(each);
    }
  } else {
    const tally = { files: 0, binaries: 0 };
    for (const start of paths.length > 0 ? paths : ['.']) {
      if (start === '') throw new KeysError('usage', 'a path is empty', 'unlockos-keys scan .');
      for (const each of scanPath(path.resolve(cwd, start), { all: !flags.ignore }, tally)) {
        const file = path.relative(cwd, each.file) || each.file;
        if (each.kind === 'hit') note(each.hit, file);
        else unreadable.push({ file, why: each.why });
      }
    }
    session.note(`Read ${tally.files} files; passed over ${tally.binaries} binary ones`);
  }
  return { found: [...found.values()], unreadable };
}

/** What a key string that was found says of itself. */
function saidOf(keyString: string): { id: string; mode: Mode } {
  const parsed = parseKeyString(keyString);
  return parsed.ok || parsed.problem === 'checksum' ? parsed : { id: '', mode: 'test' };
}

/**
 * The store says whose keys they are. Where it cannot, that stays unknown, unless something is to be done about them: then `failure` is
 * for the end, for what was found is told in any case.
 */
async function askStore(
  session: Session,
  flags: ScanFlags,
  wanted: readonly Found[],
): Promise<{ keys: Map<string, ApiKey>; done: Disabled | null; failure: unknown }> {
  let keys = new Map<string, ApiKey>();
  if (flags.offline || wanted.length === 0) return { keys, done: null, failure: null };
  if (!flags.disable && session.storeIsUnborn()) {
    session.note('Not looked up: there is no store here');
    return { keys, done: null, failure: null };
  }
  try {
    const keyring = await session.keyring();
    keys = await keysOf(keyring, wanted);
    return { keys, done: flags.disable ? await disable(session, keyring, wanted, keys, flags) : null, failure: null };
  } catch (error) {
    if (!isKeysError(error)) throw error;
    if (!flags.disable) session.note(`Not looked up: ${error.message}`);
    return { keys, done: null, failure: flags.disable ? error : null };
  }
}

/** The keys that the key strings carry the ids of. */
async function keysOf(keyring: Keyring, found: readonly Found[]): Promise<Map<string, ApiKey>> {
  const keys = new Map<string, ApiKey>();
  for (const keyString of new Set(found.map((each) => each.keyString))) {
    const identity = await keyring.identify(keyString);
    if (identity.recognised && identity.key) keys.set(identity.key.id, identity.key);
  }
  return keys;
}

/** Disables each key whose secret was found: anybody can write a key string with somebody else's id. */
async function disable(
  session: Session,
  keyring: Keyring,
  found: readonly Found[],
  keys: ReadonlyMap<string, ApiKey>,
  flags: ScanFlags,
): Promise<Disabled> {
  const result: Disabled = { keys: new Map(), disabled: new Map(), failed: 0 };
  /** One key that cannot be dealt with (its pepper is missing) keeps none of the others on. */
  const failed = (id: string, error: unknown) => {
    if (!isKeysError(error)) throw error;
    result.failed += 1;
    session.remark(`error: ${keys.get(id)?.name} (${id}) could not be disabled: ${error.message}`);
  };
  const genuine = new Map<string, Found>();
  const seen = new Set<string>();
  for (const each of found) {
    const { id } = saidOf(each.keyString);
    if (genuine.has(id) || !keys.has(id) || seen.has(each.keyString)) continue;
    seen.add(each.keyString);
    try {
      if ((await keyring.verify(each.keyString)).verdict !== 'invalid') genuine.set(id, each);
    } catch (error) {
      failed(id, error);
    }
  }
  const active = [...genuine.keys()].flatMap((id) => {
    const key = keys.get(id);
    return key?.status === 'active' ? [key] : [];
  });
  for (const id of genuine.keys()) result.disabled.set(id, keys.get(id)?.status === 'inactive');
  if (active.length > 0) session.target();
  if (!session.dryRun) await session.confirmProtected(active, 'disable', flags.confirm);
  for (const key of active) {
    const { file = '', line = 0, commit = null } = genuine.get(key.id) ?? {};
    if (session.dryRun) {
      session.remark(`Dry run: would disable ${key.name} (${key.id})`);
      continue;
    }
    const where = `${ending(file)}:${line}${commit === null ? '' : ` in ${commit.slice(0, 12)}`}`;
    try {
      const { key: now } = await keyring.disable(key, {
        reason: `found by scan: ${where}`,
        operationId: `${session.operationId}:${key.id}`,
      });
      result.keys.set(key.id, now);
      result.disabled.set(key.id, true);
      session.note(`Disabled ${key.name} (${key.id})`);
    } catch (error) {
      failed(key.id, error);
    }
  }
  return result;
}

/** The end of a path, fit for the audit log; whole characters only, for half of one would be refused there. */
function ending(file: string): string {
  return safeText(Array.from(safeText(file)).slice(-300).join(''));
}

function findingView(now: Date): View<Finding> {
  return {
    fields: ['file', 'line', 'column', 'commit', 'maskedKey', 'id', 'mode', 'checksum', 'name', 'status', 'disabled'],
    valueField: 'id',
    json: ({ file, line, column, commit, id, mode, checksum, key, disabled }) => ({
      file,
      line,
      column,
      commit,
      maskedKey: maskKey(mode, id),
      id,
      mode,
      checksum,
      name: key?.name ?? null,
      status: key === null ? null : statusAt(key, now),
      disabled,
    }),
    columns: [
      { header: 'WHERE', field: 'file', text: ({ file, line, column }) => `${file}:${line}:${column}`, min: 20 },
      { header: 'COMMIT', field: 'commit', text: ({ commit }) => commit?.slice(0, 12) ?? '', drop: 1 },
      { header: 'KEY', field: 'maskedKey', text: ({ mode, id }) => maskKey(mode, id) },
      { header: 'NAME', field: 'name', text: ({ key }) => key?.name ?? '(not known here)', min: 10 },
      {
        header: 'STATUS',
        field: 'status',
        text: ({ key, checksum }) =>
          checksum === 'bad' ? 'wrong checksum' : key === null ? '' : statusText(statusAt(key, now)),
      },
    ],
  };
}
