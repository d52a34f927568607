import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { keyStrings, type Place, TOOL } from './built-tool.js';

export const GITHUB = { GITHUB_ACTIONS: 'true', CI: 'true' };
export const NEW = ['--test-mode', '-s', 'plan:read'];

/** A command that makes keys, up to its sink; `names` are those of the keys that it makes, where there is a key `old`. */
const COMMANDS: Record<string, { args: string[]; names: string[]; many?: boolean }> = {
  create: { args: ['create', 'new', ...NEW], names: ['new'] },
  'create several': { args: ['create', 'new', 'new-2', ...NEW], names: ['new', 'new-2'], many: true },
  rotate: { args: ['rotate', 'old', '--overlap', '1h'], names: ['old'] },
  'create --if-exists replace': { args: ['create', 'old', ...NEW, '--if-exists', 'replace'], names: ['old'] },
  apply: { args: ['apply', '-f', 'keys.yaml', '--yes'], names: ['new'] },
};

/** The manifest that `apply` reads. */
export const MANIFEST = 'version: 1\nname: m\nkeys:\n  - { name: new, mode: test, scopes: [plan:read] }\n';

const SINKS: Record<string, { flags: string[]; env?: Record<string, string>; isStdout?: boolean; ofApply?: boolean }> =
  {
    '-o value': { flags: ['-o', 'value'], isStdout: true },
    '--json': { flags: ['--json'], isStdout: true },
    '--key-file': { flags: ['--key-file', 'new.key'] },
    '--dotenv': { flags: ['--dotenv', '.env'] },
    '--github-env': { flags: ['--github-env', 'KEY'], env: GITHUB },
    '--github-output': { flags: ['--github-output', 'KEY'], env: GITHUB },
    '--copy': { flags: ['--copy'], env: { WAYLAND_DISPLAY: 'wayland-0' } },
    '--pipe': { flags: ['--pipe', '--', './takes-it'], ofApply: true },
    '--key-dir': { flags: ['--key-dir', 'new-keys'], ofApply: true },
  };

/** Every command with every sink that it takes. */
export const CASES = Object.entries(COMMANDS).flatMap(([command, { args, names, many }]) =>
  Object.entries(SINKS)
    .filter(([sink, { isStdout, ofApply }]) =>
      command === 'apply' ? ofApply : sink === '--key-dir' ? false : many ? isStdout : true,
    )
    .map(([sink, how]) => ({ command, sink, args: [...args, ...how.flags], names, ...how })),
);

/** All key strings in the sinks of a run in `dir`, and in what was printed. */
export function found(dir: string, ...texts: string[]): string[] {
  const files = ['new.key', '.env', 'runner-env', 'runner-out', 'clipboard', 'taken'];
  const directory = path.join(dir, 'new-keys');
  if (existsSync(directory)) files.push(...readdirSync(directory).map((name) => `new-keys/${name}`));
  const there = files.map((name) => path.join(dir, name)).filter((file) => existsSync(file));
  return keyStrings([...there.map((file) => readFileSync(file, 'utf8')), ...texts].join('\n'));
}

/** How a run of the tool ended, as a process. */
export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the tool through bash, so that its streams can be sent anywhere; `exec` makes the process that is signalled the tool itself. */
export function startTool(
  place: Place,
  args: readonly string[],
  options: { streams?: string; env?: Record<string, string>; node?: readonly string[] } = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const { streams = '', env, node = [] } = options;
  const words = [process.execPath, ...node, TOOL, ...args];
  const child = spawn('bash', ['-c', `exec "$@" ${streams}`, 'tool', ...words], {
    cwd: place.dir,
    env: place.env(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
    child.emit('said', said.stderr);
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, ...said })),
  );
  return { child, ended };
}

/** Sends the tool a signal when a line that the program behind `--pipe` wrote has come. */
export function whenSaid(child: ChildProcess, text: string, then: () => void): void {
  let seen = false;
  child.on('said', (all: string) => {
    if (seen || !all.includes(text)) return;
    seen = true;
    then();
  });
}
