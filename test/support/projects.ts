import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const TEST = fileURLToPath(new URL('../', import.meta.url));

/**
 * The vitest projects, from the quickest to the slowest. `unit`: no store, no server, no process. `store`: on every engine and on a
 * real sqld. `cli`: the command line in the process of the test. `e2e`: the built tool. `system`: needs Debian packages (`.ci/run`).
 */
export const PROJECTS = ['unit', 'store', 'cli', 'e2e', 'system'] as const;
export type Project = (typeof PROJECTS)[number];

/** What a unit test does without. The support modules open stores or start processes. */
const NOT_IN_UNIT = /^(support\/(stores|sqld|built-tool)\.ts|node:(child_process|http|https|net))$/;

/** What a test file imports, through modules below test/ as well. */
function importsOf(file: string, found = new Set<string>()): Set<string> {
  const text = readFileSync(path.join(TEST, file), 'utf8');
  for (const [, target = ''] of text.matchAll(/^(?:import|export) (?!type )[^'`]*?'([^']+)'/gm)) {
    const relative = target.startsWith('.') ? path.join(path.dirname(file), target).replace(/\.js$/, '.ts') : target;
    if (found.has(relative)) continue;
    found.add(relative);
    if (relative.startsWith('support/')) importsOf(relative, found);
  }
  return found;
}

/**
 * The project of a test file, a path below test/. Its folder decides where there is one for the project; otherwise its imports do, so that no
 * list of files has to be kept.
 */
export function projectOf(file: string): Project {
  const folder = file.split('/')[0];
  if (folder === 'cli' || folder === 'e2e' || folder === 'system') return folder;
  return [...importsOf(file)].some((name) => NOT_IN_UNIT.test(name)) ? 'store' : 'unit';
}

/** Every test file of a project, as a path from the root of the repository. */
export function filesOf(project: Project): string[] {
  const all = readdirSync(TEST, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'));
  return all.filter((file) => projectOf(file) === project).map((file) => `test/${file}`);
}
