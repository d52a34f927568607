import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { bundle, withoutLate } from '../../scripts/bundle.mjs';
import { check } from '../../scripts/bundle-check.mjs';
import { groupsOf } from '../../scripts/bundle-groups.mjs';
import { Place, ROOT } from '../support/built-tool.js';

const BUNDLE = path.join(ROOT, 'dist/bundle');
const loader = JSON.stringify(path.join(BUNDLE, 'loader.cjs'));

test('every source of the command line is in exactly one file', async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/cli/start.ts'],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    external: ['libsql', 'clipboardy', 'bindings'],
  });
  const ours = (inputs: string[]) => inputs.filter((input) => input.startsWith('src/'));
  const sources = ours(Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs)));
  expect(sources.length).toBeGreaterThan(100);
  const bundled = ours((await bundle()).flatMap(({ inputs }) => inputs));
  expect(bundled.sort()).toEqual(sources.sort());
});

/** The packages that these files load, and what they import. */
async function packagesOf(files: readonly string[]): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...files],
    bundle: true,
    write: false,
    outdir: 'out',
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  return imports.flatMap(({ path: name, external }) => (external && !isBuiltin(name) ? [name] : []));
}

test('what an installation loads is what its package.json depends on', async () => {
  const { exports, dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
  );
  const library = Object.values<{ default?: string }>(exports).flatMap((each) => each.default ?? []);
  const loaded = await packagesOf([...library, 'dist/bundle/clipboard-helper.mjs']);
  const names = Object.keys({ ...dependencies, ...optionalDependencies });
  expect([...new Set(loaded)].filter((name) => !(name in peerDependencies)).sort()).toEqual(names.sort());
});

/** A bundler of an application keeps only what it imports. */
test('one constant of the library costs an application less than a kilobyte', async () => {
  const place = new Place();
  const entry = place.write(
    'app.mjs',
    "import { KEY_STRING_IN_TEXT } from 'unlockos-keys'; console.log(KEY_STRING_IN_TEXT);",
  );
  const { outputFiles } = await build({
    entryPoints: [entry],
    alias: { 'unlockos-keys': path.join(ROOT, 'dist/index.js') },
    bundle: true,
    write: false,
    minify: true,
    platform: 'node',
    format: 'esm',
  });
  expect(outputFiles[0]?.text.length).toBeLessThan(1000);
});

test('every file of the bundle loads by itself', async () => {
  const files = readdirSync(BUNDLE).filter((name) => name.endsWith('.cjs') && name !== 'loader.cjs');
  expect(files).toContain('cli.cjs');
  expect(files.length).toBeGreaterThan(15);
  const program = `for (const file of ${JSON.stringify(files)}) {
    delete require.cache[${loader}]; // so that nothing is loaded yet
    console.log(file);
    require(${loader}).load(file);
  }`;
  const { exitCode, stdout, stderr } = await new Place().run(process.execPath, ['-e', program]);
  expect({ exitCode, stderr, loaded: stdout.trim().split('\n') }).toEqual({ exitCode: 0, stderr: '', loaded: files });
});

test.each(['yaml', 'csv-stringify'])('an entry that imports %s eagerly is refused', async (name) => {
  const place = new Place();
  const entry = place.write(
    'entry.mjs',
    `import * as all from '${path.join(ROOT, 'node_modules', name)}'; console.log(all);`,
  );
  await expect(bundle(entry)).rejects.toThrow(`every start reads ${name} (needed by `);
});

const file = (name: string, more: object = {}) => ({ name, text: '', inputs: [], needs: [], ...more });

test.each([
  [[file('a', { inputs: ['src/x.ts'] }), file('b', { inputs: ['src/x.ts'] })], 'src/x.ts is in a and in b'],
  [[file('a'), file('a')], 'there are two files a'],
  [[file('a', { needs: ['b'] })], 'a needs b, which is missing'],
  [
    [file('a', { needs: ['b'] }), file('b', { needs: ['c'] }), file('c', { needs: ['b'] })],
    'b needs a file that needs it',
  ],
  [[file('a', { text: 'require("./c.cjs#later")' })], 'a needs c.cjs, which is missing'],
  [[file('a', { text: 'require("./b.cjs")' })], 'a needs b.cjs, which is missing'],
  [[file('a', { text: 'require("./c.cjs#12#later")' })], 'a needs c.cjs, which is missing'],
  [[file('a', { text: 'importPart("./d.cjs#7")' })], 'a needs d.cjs, which is missing'],
  [[file('a', { text: '/ä/' })], 'a is not ASCII at byte 1'],
  [
    [file('a', { needs: ['b'] }), file('b', { inputs: ['node_modules/yaml/dist/index.js'] })],
    'every start reads yaml (needed by YAML)',
  ],
  [[file('a')], 'no file contains yaml'],
])('the check finds it: %#', (files, message) => {
  expect(() => check(files, { yaml: 'YAML' })).toThrow(message);
});

test('the check passes files that are as they should be', () => {
  const yaml = file('yaml.cjs', { inputs: ['node_modules/yaml/dist/index.js'], needs: ['cli.cjs'] });
  expect(() => check([file('cli.cjs', { text: 'require("./yaml.cjs")' }), yaml], { yaml: 'YAML' })).not.toThrow();
});

const LARGE = 'x'.repeat(10_000);
const part = (needs: string[], text = '', more: { inputs?: string[]; isRoot?: boolean } = {}) => ({
  text,
  inputs: [] as string[],
  exports: [],
  needs,
  entryPoint: 'src/x.ts',
  number: 0,
  isRoot: true,
  ...more,
});
const command = (name: string, needs: string[]) => part(needs, '', { inputs: [`src/cli/commands/${name}.ts`] });

const inner = (needs: string[] = [], text = LARGE) => part(needs, text, { isRoot: false });

test('a file that exports what is loaded later is refused: to fill its table would load that', () => {
  const text = 'var a=require("./b.cjs#3#later");a.x();function f(){return g.h}exported({1:{f:f},...{f:f}});';
  expect(withoutLate(text, 'a.cjs')).toBe(text);
  expect(() => withoutLate(text.replace('{f:f},', '{f:f,x:a.x},'), 'a.cjs')).toThrow('a.cjs exports a.x of a file');
});

test('a command keeps its file, however small, and what many commands need is one file', () => {
  const needs = (name: string) => ([...'ab'].includes(name) ? ['few', 'many', 'most'] : ['many', 'most']);
  const parts = {
    entry: part([]),
    few: inner(),
    many: inner(),
    most: inner(),
    ...Object.fromEntries([...'abcdefgh'].map((name) => [name, command(name, needs(name))])),
  };
  const { groups, shared } = groupsOf(new Map(Object.entries(parts)));
  expect([...groups].filter(([name, group]) => name !== group)).toEqual([['most', 'many']]);
  expect(shared).toBe('many');
});

test('what `list` shares with others is loaded at every start, and what it has alone is not', () => {
  const parts = {
    entry: part([]),
    list: command('list', ['shared', 'own']),
    show: command('show', ['shared']),
    shared: inner(['deeper']),
    deeper: inner(),
    own: inner(),
    formats: part([], LARGE, { inputs: ['src/cli/output/formats.ts'] }), // it loads that with import()
    other: part(['formats'], LARGE),
  };
  expect(Object.fromEntries(groupsOf(new Map(Object.entries(parts))).groups)).toEqual({
    entry: 'entry',
    list: 'list',
    show: 'show',
    shared: 'entry',
    deeper: 'entry',
    own: 'list',
    formats: 'entry',
    other: 'other',
  });
});

test('what the store needs comes with it, unless something needs it without a store', () => {
  const parts = {
    entry: part([]),
    store: part(['asset', 'checks', 'policy', 'query', 'rows'], LARGE, { inputs: ['src/store/open.ts'] }),
    offline: part(['checks'], LARGE),
    create: command('create', ['policy']),
    later: part(['asset'], LARGE, { inputs: ['src/files/private-file.ts'], isRoot: false }),
    changes: part(['rows'], LARGE, { inputs: ['src/store/changes.ts'], isRoot: false }),
    ...{ asset: inner(), checks: inner(), policy: inner(), query: inner(), rows: inner() },
  };
  const { groups } = groupsOf(new Map(Object.entries(parts)));
  const of = (...names: string[]) => names.map((name) => groups.get(name));
  expect(of('query', 'rows')).toEqual(['store', 'store']);
  expect(of('asset', 'checks', 'policy')).toEqual(['entry', 'entry', 'entry']);
  expect(of('offline', 'later', 'changes')).toEqual(['offline', 'later', 'changes']);
});

test('an entry that only hands on what another part exports is in the file of that part', () => {
  const parts = {
    entry: part(['formats']),
    formats: part([], LARGE, { inputs: ['src/cli/output/formats.ts'], isRoot: false }),
    handsOn: { ...part(['formats']), entryPoint: 'src/cli/output/formats.ts' }, // somebody imports it with import()
    list: command('list', []),
  };
  expect(groupsOf(new Map(Object.entries(parts))).groups.get('handsOn')).toBe('entry');
});

test('what is to be loaded later does not come with those that import it', () => {
  const later = part([], '', { inputs: ['src/store/changes.ts'], isRoot: false });
  const copying = part(['shared'], '', { inputs: ['src/store/copy.ts'], isRoot: false });
  const store = part(['later', 'copying', 'shared'], LARGE, { inputs: ['src/store/open.ts'] });
  const parts = { entry: part(['later']), later, copying, store, shared: part([], LARGE, { isRoot: false }) };
  expect(Object.fromEntries(groupsOf(new Map(Object.entries(parts))).groups)).toEqual({
    entry: 'entry',
    later: 'later',
    copying: 'later',
    store: 'store',
    shared: 'store', // nobody changes a store that is not open
  });
});

test('all that the entry needs is one group, and a large part that it does not need is another', () => {
  const parts = { entry: part(['a']), a: part(['b'], LARGE), b: part([], LARGE), lazy: part(['b'], LARGE) };
  expect(Object.fromEntries(groupsOf(new Map(Object.entries(parts))).groups)).toEqual({
    entry: 'entry',
    a: 'entry',
    b: 'entry',
    lazy: 'lazy',
  });
});

test('a small part joins what it needs, but never makes anybody load more', () => {
  const parts = {
    entry: part([]),
    yaml: part(['entry'], LARGE),
    table: part([], LARGE),
    alone: inner(['entry'], ''), // needs the entry only, as does the next
    another: inner([], ''),
    one: part(['alone', 'another'], LARGE),
    two: part(['alone'], LARGE),
    three: part(['another'], LARGE),
    parse: part(['yaml']),
    write: part(['parse', 'yaml']),
    both: part(['yaml', 'table']), // in either, it would bring the other along
  };
  expect(Object.fromEntries(groupsOf(new Map(Object.entries(parts))).groups)).toEqual({
    entry: 'entry',
    yaml: 'yaml',
    table: 'table',
    alone: 'alone',
    another: 'alone',
    one: 'one',
    two: 'two',
    three: 'three',
    parse: 'yaml',
    write: 'yaml',
    both: 'both',
  });
});

test('what `run` shares with others is a file, however small, and not what many share', () => {
  const parts = {
    entry: part([]),
    run: command('run', ['mask', 'shared']),
    child: part([], '', { inputs: ['src/cli/delivery/child.ts'] }), // it loads that with import()
    mask: inner([], ''),
    shared: inner(),
    many: inner(),
    ...Object.fromEntries([...'abcdefgh'].map((name) => [name, command(name, ['mask', 'shared', 'many'])])),
  };
  const { groups } = groupsOf(new Map(Object.entries(parts)));
  expect([...groups].filter(([name, group]) => name !== group)).toEqual([
    ['child', 'run'],
    ['shared', 'mask'],
  ]);
});

test('what only hands on from a source that is loaded later is loaded later, too', () => {
  const chunk = part([], LARGE, { inputs: ['src/store/changes.ts'], isRoot: false });
  const handsOn = { ...part(['chunk']), entryPoint: 'src/store/changes.ts' };
  const parts = { entry: part([]), chunk, handsOn, user: part(['handsOn'], LARGE) };
  expect(groupsOf(new Map(Object.entries(parts))).groups.get('handsOn')).toBe('chunk');
});
