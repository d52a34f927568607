import path from 'node:path';
import type { ApiKey } from '../../domain/api-key.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { parseKeyString } from '../../domain/key-parts.js';
import { type Mode, redactKeyStrings } from '../../domain/key-string.js';
import { quoted, safeText } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { GitFinding, Finding as ScanFinding } from '../../scan/index.js';
import { confirmProtected } from '../asking/confirm.js';
import { CONFIRM, examples, type Register } from '../command.js';
import { ANSWER_NO, type ExitCode } from '../exit-code.js';
import {
  type Finding,
  type Found,
  findingView,
  passedOverText,
  submodulesText,
  tallyText,
} from '../output/scan-view.js';
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

/** Something that could not be searched. */
interface Unreadable {
  readonly file: string;
  readonly why: string;
}

/** What `--disable` did: the keys as they are now, whether each is disabled, by id, and how many could not be disabled. */
interface Disabled {
  readonly keys: Map<string, ApiKey>;
  readonly disabled: Map<string, boolean>;
  failed: number;
}

export const registerScan: Register = (program, run) => {
  program
    .command('scan')
    .summary('find key strings in files, staged changes or git history')
    .description(
      'Find key strings by their form and checksum, and show where they are and which keys they belong to; the secret is never shown. Exits with 7 when a key string was found, with 9 when something could not be read. Files that git ignores and does not track are skipped, and counted. No program of a repository is run, and nothing is fetched.',
    )
    .argument('[path...]', 'files and directories, which are searched recursively (default: the current directory)')
    .option('--stdin', 'search stdin')
    .option('--staged', 'search what git commit would add')
    .option('--git-history', 'search everything a repository ever held: files, names, messages')
    .option('--all', 'also report key strings with a wrong checksum: truncated, mistyped or invented')
    .option('--no-ignore', 'also search files that git ignores')
    .option('--offline', 'do not look the keys up in the store')
    .option('--disable', 'disable keys whose secret was found')
    .option(...CONFIRM)
    .option('--rules <tool>', 'print a rule for gitleaks, trufflehog, secretlint, github or pre-commit')
    .addHelpText(
      'after',
      examples(
        'scan                              # this directory',
        'scan --staged --offline           # in a pre-commit hook',
        'scan --git-history --disable      # a repository that leaked',
        'scan --stdin < build.log',
        'scan -o sarif > scan.sarif        # for code scanning; -o github annotates the job',
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
  if (flags.disable && flags.offline) throw new KeysError('usage', '--disable needs a store', 'leave out --offline');
  const { found, unreadable } = await search(session, flags, paths);
  const wanted = found.filter(({ checksum }) => checksum === 'good' || flags.all);
  const { keys, done, failure, isLookedUp } = await askStore(session, flags, wanted);
  const findings = wanted.map((each): Finding => {
    const { keyString, ...place } = each;
    const { id, mode } = saidOf(keyString);
    const disabled = flags.disable ? (done?.disabled.get(id) ?? false) : null;
    return { ...place, id, mode, key: done?.keys.get(id) ?? keys.get(id) ?? null, disabled };
  });
  if (session.report !== null) {
    const { SCAN_REPORTS } = await import('../output/scan-reports.js');
    const report = session.report === 'sarif' ? SCAN_REPORTS.sarif : SCAN_REPORTS.github;
    session.ctx.stdout.write(report({ findings, unreadable, now: session.now, cwd: session.ctx.cwd }));
  } else
    await session.out.print(findings, findingView(session.now, isLookedUp), { empty: 'No key strings were found.' });
  for (const { file, why } of unreadable) session.out.remark(`warning: could not read ${file} (${why})`);
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
    throw new KeysError('usage', 'paths, --stdin, --staged and --git-history do not go together', 'pass one of them');
  const { newTally, scanHistory, scanPath, scanStaged, searchPieces, submodulesOf } = await import(
    '../../scan/index.js'
  );
  const { cwd } = session.ctx;
  const found = new Map<string, Found>();
  const unreadable: Unreadable[] = [];
  /** One finding for a place, however often it is named. A file's own name may hold a key string too. */
  const note = (each: ScanFinding | GitFinding, file: string) => {
    if (each.kind === 'unreadable') return unreadable.push({ file: redactKeyStrings(file), why: each.why });
    const commit = 'commit' in each ? each.commit : null;
    const { hit } = each;
    return found.set(JSON.stringify([commit, file, hit.line, hit.column]), {
      ...hit,
      file: redactKeyStrings(file),
      commit,
    });
  };
  if (flags.stdin) for await (const each of searchPieces('-', session.ctx.stdin.pieces())) note(each, each.file);
  else if (flags.staged) for await (const each of scanStaged(cwd)) note(each, each.file);
  else if (flags.gitHistory) {
    const passed = { archive: 0, pointer: 0 };
    for await (const each of scanHistory(cwd, passed)) note(each, each.file);
    const passedOver = passedOverText(passed);
    if (passedOver !== '') session.out.remark(`Not looked into: ${passedOver}`);
    const submodules = await submodulesOf(cwd);
    if (submodules.length > 0) session.out.remark(submodulesText(submodules));
  } else {
    const tally = newTally();
    for (const start of paths.length > 0 ? paths : ['.']) {
      for await (const each of scanPath(path.resolve(cwd, start), { all: !flags.ignore }, tally))
        note(each, path.relative(cwd, each.file) || each.file);
    }
    session.out.note(tallyText(tally, unreadable.length));
  }
  return { found: [...found.values()], unreadable };
}

/** The id and the mode that a key string carries. */
function saidOf(keyString: string): { id: string; mode: Mode } {
  const parsed = parseKeyString(keyString);
  return parsed.ok || parsed.problem === 'checksum' ? parsed : { id: '', mode: 'test' };
}

/**
 * Asks the store whose keys they are. Where it cannot say, that stays unknown. With something to do about the keys, `failure` is thrown at
 * the end, because the findings are printed in any case.
 */
async function askStore(
  session: Session,
  flags: ScanFlags,
  wanted: readonly Found[],
): Promise<{ keys: Map<string, ApiKey>; done: Disabled | null; failure: unknown; isLookedUp: boolean }> {
  let keys = new Map<string, ApiKey>();
  let isLookedUp = false;
  if (flags.offline || wanted.length === 0) return { keys, done: null, failure: null, isLookedUp };
  if (!flags.disable && session.storeIsUnborn()) {
    session.out.note('Not looked up: there is no store yet');
    return { keys, done: null, failure: null, isLookedUp };
  }
  try {
    const keyring = await session.keyring();
    keys = await keysOf(keyring, wanted);
    isLookedUp = true;
    const done = flags.disable ? await disable(session, keyring, wanted, keys, flags) : null;
    return { keys, done, failure: null, isLookedUp };
  } catch (error) {
    if (!isKeysError(error)) throw error;
    if (!flags.disable) session.out.note(`Not looked up: ${error.message}`);
    return { keys, done: null, failure: flags.disable ? error : null, isLookedUp };
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
  /** A key that cannot be checked (its pepper is missing) does not keep the others from being disabled. */
  const failed = (id: string, error: unknown) => {
    if (!isKeysError(error)) throw error;
    result.failed += 1;
    session.out.remark(`error: ${keys.get(id)?.name} (${id}) could not be disabled: ${error.message}`);
  };
  const genuine = new Map<string, Found>();
  const seen = new Set<string>();
  for (const each of found) {
    const { id } = saidOf(each.keyString);
    if (genuine.has(id) || !keys.has(id) || seen.has(each.keyString)) continue;
    seen.add(each.keyString);
    try {
      await keyring.proveLeaked(each.keyString);
      genuine.set(id, each);
    } catch (error) {
      if (!isKeysError(error, 'usage', 'not_found')) failed(id, error);
    }
  }
  const active = [...genuine.keys()].flatMap((id) => {
    const key = keys.get(id);
    return key?.status === 'active' ? [key] : [];
  });
  for (const id of genuine.keys()) result.disabled.set(id, keys.get(id)?.status === 'inactive');
  if (active.length > 0) session.noteStore();
  if (!session.dryRun) await confirmProtected(session, active, 'disable', flags.confirm);
  for (const key of active) {
    const { file = '', line = 0, commit = null } = genuine.get(key.id) ?? {};
    if (session.dryRun) {
      session.out.remark(`Dry run: would disable ${key.name} (${key.id})`);
      continue;
    }
    const where = `${ending(file)}:${line}${commit === null ? '' : ` in ${commit.slice(0, 12)}`}`;
    try {
      const { key: now } = await keyring.disable(key, {
        reason: `found by scan: ${where}`,
        operationId: `${session.operation.id}:${key.id}`,
      });
      result.keys.set(key.id, now);
      result.disabled.set(key.id, true);
      session.out.note([
        `Disabled ${key.name} (${key.id})`,
        `Undo: ${session.followUp('enable', key.id)}; to replace it: ${session.followUp('rotate', key.id)}`,
      ]);
    } catch (error) {
      failed(key.id, error);
    }
  }
  return result;
}

/** The end of a path, short enough for the audit log. It is cut between characters, because the log refuses half of one. */
function ending(file: string): string {
  return safeText(Array.from(safeText(file)).slice(-300).join(''));
}
