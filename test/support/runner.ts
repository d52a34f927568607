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

/**
 * Runs the steps of a composite action as the runner of GitHub does: each in a bash of its own, with the inputs in its variables, and with
 * what earlier steps put into GITHUB_ENV and GITHUB_PATH. Returns the results of the steps and the variables that later steps have.
 */
export async function runAction(
  place: Place,
  file: string,
  given: Readonly<Record<string, string>>,
  job: Readonly<Record<string, string>>,
): Promise<{ results: Result[]; env: Record<string, string> }> {
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
  for (const step of action.runs.steps as Step[]) {
    const own = Object.entries(step.env ?? {}).map(([name, text]) => [
      name,
      filled(text, /\$\{\{ (\S+) \}\}/g, values),
    ]);
    if (step.run.includes('${{')) throw new Error(`an input is part of a script: ${step.name}`);
    const script = place.write('step.sh', step.run);
    const added = readFileSync(files.GITHUB_PATH, 'utf8').split('\n').filter(Boolean);
    const PATH = [...added.reverse(), place.env().PATH].join(':');
    const how = { env: { ...env, PATH, ...Object.fromEntries(own) } };
    results.push(await place.run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], how));
    if (results.at(-1)?.exitCode !== 0) break;
  }
  for (const [, name = '', value = ''] of readFileSync(files.GITHUB_ENV, 'utf8').matchAll(/^(\w+)=(.*)$/gm))
    env[name] = value;
  return { results, env };
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
  const env = { ...job, ...(made.variables as Record<string, string>), CI: 'true', GITLAB_CI: 'true' };
  return { job: made, result: await place.run('bash', ['-eo', 'pipefail', '-c', script], { env }) };
}
