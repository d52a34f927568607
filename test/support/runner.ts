import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Place, Result } from './built-tool.js';

interface Step {
  readonly name?: string;
  readonly shell?: string;
  readonly run: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Fills in each `open NAME close` with a value. Throws for a name that has none: a runner would put nothing there. */
function filled(text: string, form: RegExp, values: Readonly<Record<string, string>>): string {
  return text.replace(form, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`nothing is known of ${name}`);
    return value;
  });
}

/** The shell of a step. */
const SHELL = ['--noprofile', '--norc', '-eo', 'pipefail'];

/**
 * Runs a script as a step of GitHub that is cancelled once it has said "cancel me": the runner signals the process that it started, and no
 * other, and kills what is left when that has ended. Returns what the step said.
 */
export async function cancelStep(place: Place, script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const file = place.write('step.sh', script);
  const shell = spawn('bash', [...SHELL, file], {
    cwd: place.dir,
    env: place.env(env),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (text: string) => {
    if (!said.includes('cancel me') && (said + text).includes('cancel me'))
      for (const signal of ['SIGINT', 'SIGTERM'] as const) shell.kill(signal);
    said += text;
  };
  for (const stream of [shell.stdout, shell.stderr]) stream.setEncoding('utf8').on('data', hear);
  await once(shell, 'exit');
  try {
    process.kill(-(shell.pid ?? 0), 'SIGKILL');
  } catch {
    // nothing is left
  }
  return said;
}

/**
 * Runs the steps of a composite action as the runner of GitHub does: each in a bash of its own, with the inputs in its variables, and with
 * what earlier steps put into GITHUB_ENV and GITHUB_PATH. Returns the results of the steps and the variables that later steps have; with
 * `cancel`, of the steps before the last, and what that said, which was cancelled.
 */
export async function runAction(
  place: Place,
  file: string,
  given: Readonly<Record<string, string>>,
  job: Readonly<Record<string, string>>,
  { cancel = false } = {},
): Promise<{ results: Result[]; env: Record<string, string>; cancelled?: string }> {
  const action = parse(readFileSync(file, 'utf8'));
  const inputs = Object.fromEntries(
    Object.entries(action.inputs as Record<string, { default?: string; required?: boolean }>).map(([name, input]) => {
      const value = given[name] ?? input.default ?? '';
      if (input.required && value === '') throw new Error(`the input ${name} is required`);
      return [`inputs.${name}`, value];
    }),
  );
  const values = { ...inputs, 'runner.temp': place.file('tmp') };
  const files = { GITHUB_ENV: place.write('github-env', ''), GITHUB_PATH: place.write('github-path', '') };
  const env: Record<string, string> = { ...job, ...files };
  const results: Result[] = [];
  const steps = action.runs.steps as Step[];
  for (const step of steps) {
    const own = Object.entries(step.env ?? {}).map(([name, text]) => [
      name,
      filled(text, /\$\{\{ (\S+) \}\}/g, values),
    ]);
    if (step.run.includes('${{')) throw new Error(`an input is part of a script: ${step.name}`);
    const added = readFileSync(files.GITHUB_PATH, 'utf8').split('\n').filter(Boolean);
    const PATH = [...added.reverse(), place.env().PATH].join(':');
    const variables = { ...env, PATH, ...Object.fromEntries(own) };
    if (cancel && step === steps.at(-1))
      return { results, env, cancelled: await cancelStep(place, step.run, variables) };
    const script = place.write('step.sh', step.run);
    results.push(await place.run('bash', [...SHELL, script], { env: variables }));
    if (results.at(-1)?.exitCode !== 0) break;
  }
  for (const [, name = '', value = ''] of readFileSync(files.GITHUB_ENV, 'utf8').matchAll(/^(\w+)=(.*)$/gm))
    env[name] = value;
  return { results, env };
}

/**
 * The variables of a job, as GitLab hands them out: what looks like a variable in the value of one is replaced by that variable, and by
 * nothing where the job has none of that name; unless the value says `expand: false`.
 */
function handedOut(
  given: Readonly<Record<string, string | { value: string; expand?: boolean }>>,
  job: Readonly<Record<string, string>>,
): Record<string, string> {
  const known: Record<string, string> = { ...job };
  for (const [name, each] of Object.entries(given)) known[name] = typeof each === 'string' ? each : each.value;
  const expanded = (text: string) =>
    text.replace(/\$(?:(\w+)|\{(\w+)\})/g, (_, bare?: string, braced?: string) => known[bare ?? braced ?? ''] ?? '');
  const values = Object.entries(given).map(([name, each]) => [
    name,
    typeof each === 'string' ? expanded(each) : each.expand === false ? each.value : expanded(each.value),
  ]);
  return Object.fromEntries(values);
}

/** Runs the script of the one job of a GitLab component, in a shell as the runner of GitLab does. */
export async function runComponent(
  place: Place,
  file: string,
  given: Readonly<Record<string, string>>,
  job: Readonly<Record<string, string>>,
): Promise<{ result: Result; job: Record<string, unknown> }> {
  const [header, body] = readFileSync(file, 'utf8').split(/^---$/m);
  const { spec } = parse(header ?? '');
  const values = Object.fromEntries(
    Object.entries(spec.inputs as Record<string, { default?: string } | null>).map(([name, input]) => {
      const value = given[name] ?? input?.default;
      if (value === undefined) throw new Error(`the input ${name} is required`);
      return [`inputs.${name}`, value];
    }),
  );
  // GitLab reads the file as YAML first, and fills inputs into its texts.
  const fill = (_: string, value: unknown) =>
    typeof value === 'string' ? filled(value, /\$\[\[ (\S+) \]\]/g, values) : value;
  const [made] = Object.values(JSON.parse(JSON.stringify(parse(body ?? ''), fill))) as [Record<string, unknown>];
  const script = (made.script as string[]).join('\n');
  const variables = handedOut(made.variables as Parameters<typeof handedOut>[0], job);
  const env = { ...job, ...variables, CI: 'true', GITLAB_CI: 'true' };
  return { job: made, result: await place.run('bash', ['-eo', 'pipefail', '-c', script], { env }) };
}
