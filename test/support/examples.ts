import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';

const AsyncFunction = (async () => {}).constructor as new (
  ...source: string[]
) => (...values: unknown[]) => Promise<unknown>;

/** Runs the first example in the docstrings of a file in `src/` with these variables. Resolves to the value of `result`. */
export function runExample(file: string, variables: Record<string, unknown>, result = 'undefined'): Promise<unknown> {
  const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(source.replace(/^ *\* ?/gm, ''))?.[1];
  if (example === undefined) throw new Error(`no example in ${file}`);
  const { code } = transformSync(`async () => {${example}\nreturn ${result}; }`, { loader: 'ts' });
  return new AsyncFunction(...Object.keys(variables), `return (${code.trim().replace(/;$/, '')})();`)(
    ...Object.values(variables),
  );
}
