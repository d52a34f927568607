// Bundles the command line: which files there are, and what is in each, follows from the imports of the sources.
//
// esbuild makes a part of each source. They are grouped by what is loaded together (`bundle-groups.mjs`), so that each source is in exactly
// one file, and each group is written as one CommonJS file, which the loader (`src/loader/`) can load together with V8's compiled form of it.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { check, packageOf } from './bundle-check.mjs';
import { groupsOf, lazyFileOf, staticNeeds } from './bundle-groups.mjs';
import { compiledStatements } from './compiled-statements.mjs';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const ENTRY = 'src/cli/start.ts';
const MAIN = 'cli';
const SHARED = 'cli-shared';

/** Packages that stay where npm puts them: they read files of their own. */
const EXTERNAL = ['libsql', 'clipboardy', 'bindings'];

/** Imported statically, but loaded when a property is first read (`src/loader/loader.ts`): most commands never ask whether this is CI. */
const LAZY_PACKAGES = ['ci-info'];

/** What `require` of the loader gives for a name with this ending loads the file when a property of it is first read. */
const LATER = '#later';

const SETTINGS = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node20.17',
  legalComments: 'none',
  minify: true, // less to read, and less memory: without it the tool needs slightly more than its 50 MiB
  // Written as a literal, a regular expression is compiled when it is first used; esbuild would write `new RegExp`, which compiles at start.
  supported: { 'regexp-unicode-property-escapes': true, 'regexp-lookbehind-assertions': true },
  write: false,
  metafile: true,
  logLevel: 'warning',
};

/** A CommonJS file does not know its URL: modules that look for files beside themselves ask for `import.meta.url`. */
const COMMONJS = {
  format: 'cjs',
  supported: { ...SETTINGS.supported, 'dynamic-import': false }, // written as require, which our loader serves
  define: { 'import.meta.url': 'importMeta.url', 'import.meta.filename': '__filename' },
  banner: { js: "const importMeta={get url(){return require('node:url').pathToFileURL(__filename).href}};" },
};

/**
 * @typedef {object} Part A file as esbuild split it.
 * @property {string} text
 * @property {readonly string[]} inputs The sources in it, as paths from the root of the repository.
 * @property {readonly string[]} exports
 * @property {readonly string[]} needs The parts that it imports statically.
 * @property {string | undefined} entryPoint
 * @property {boolean} isRoot It is the entry, or somebody imports it with `import()`.
 * @property {number} number
 */

/** Puts statements that are compiled now in the place of the modules that build them. */
async function statementsPlugin() {
  const modules = await compiledStatements();
  return {
    name: 'statements',
    setup(plugin) {
      plugin.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
        const contents = modules.get(path.relative(ROOT, file));
        return contents === undefined ? undefined : { contents, loader: 'js' };
      });
    },
  };
}

/**
 * esbuild keeps the order in which sources are evaluated. Ours do nothing when they are, and such an import would load what is to be
 * loaded later.
 */
const BARE_IMPORT = /(?<=^|[;}\n])import"\.\/[\w.-]+\.js";/g;

/** @returns {Promise<Map<string, Part>>} by name, the one of the entry first */
async function split(entry) {
  const settings = {
    ...SETTINGS,
    plugins: [await statementsPlugin()],
    outdir: 'parts',
    format: 'esm',
    external: [...EXTERNAL, ...LAZY_PACKAGES],
  };
  const { metafile: whole } = await build({ ...settings, entryPoints: [entry] });
  const sources = Object.keys(whole.inputs).filter((input) => packageOf(input) === null);
  const { outputFiles, metafile } = await build({
    ...settings,
    minify: false, // the syntax only later: a module whose constants were put in place would be in no file
    minifyIdentifiers: true,
    minifyWhitespace: true,
    entryPoints: [entry, ...sources.filter((each) => each !== entry)],
    entryNames: '[name]-[hash]',
    splitting: true,
  });
  const textOf = new Map(
    outputFiles.map((file) => [path.relative(ROOT, file.path), file.text.replace(BARE_IMPORT, '')]),
  );
  const outputs = Object.entries(metafile.outputs);
  const importsOf = ({ imports }, kind) => imports.filter((each) => !each.external && each.kind === kind);
  const named = new Set(outputs.flatMap(([, output]) => importsOf(output, 'dynamic-import').map((each) => each.path)));
  const imported = new Set(outputs.flatMap(([, { imports }]) => imports.map((each) => each.path)));
  const parts = outputs
    // what a source exports is often in a shared part; then its own part only hands it on, perhaps to nobody
    .filter(
      ([name, { inputs, entryPoint }]) => Object.keys(inputs).length > 0 || entryPoint === entry || imported.has(name),
    )
    .map(([name, output]) => ({
      name,
      text: textOf.get(name),
      inputs: Object.keys(output.inputs),
      exports: output.exports,
      needs: importsOf(output, 'import-statement')
        .map((each) => each.path)
        .filter((each) => textOf.get(name).includes(`from"./${path.basename(each)}"`)),
      entryPoint: output.entryPoint,
      isRoot: output.entryPoint === entry || named.has(name),
    }));
  parts.sort((a, b) => Number(b.entryPoint === entry) - Number(a.entryPoint === entry));
  return new Map(parts.map((part, number) => [part.name, { ...part, number }]));
}

/**
 * A name for the file of a group: of an entry whose source is in it, of the first source of ours in it, or of an entry that only hands on
 * what other files export.
 */
function nameOf(group, members) {
  const entries = [group, ...members].filter(({ entryPoint }) => entryPoint !== undefined);
  const source =
    entries.find(({ inputs }) => inputs.length > 0)?.entryPoint ??
    members.flatMap(({ inputs }) => inputs).find((input) => packageOf(input) === null) ??
    entries[0]?.entryPoint ??
    members.flatMap(({ inputs }) => inputs)[0];
  if (source === undefined) throw new Error('a file of the bundle has no source to be named after');
  return (packageOf(source) ?? source.replace(/^src\//, '').replace(/\.ts$/, '')).replaceAll('/', '-');
}

/**
 * The statement that hands on what a part exports. Between files each name carries the number of its part, for two parts of a file may
 * export the same name.
 */
function handOn(part, from, way) {
  const names = part.exports.map((name) => {
    const shared = `${name === 'default' ? '' : name}$${part.number}`;
    return way === 'out' ? `${name} as ${shared}` : `${shared} as ${name}`;
  });
  return `export { ${names.join(', ')} } from ${JSON.stringify(from)};`;
}

/** Shows a group its own parts as they are, and those of other groups as what the other file exports. */
function partsPlugin(own, { parts, groups, files }) {
  return {
    name: 'parts',
    setup(plugin) {
      plugin.onResolve({ filter: /.*/ }, (args) => {
        if (LAZY_PACKAGES.includes(args.path)) return { path: `./${args.path}.cjs${LATER}`, external: true };
        const fromPart = args.namespace === 'part' && args.path.startsWith('./');
        if (!fromPart && !parts.has(args.path)) return { path: args.path, external: true };
        const name = fromPart ? path.join(path.dirname(args.importer), args.path) : args.path;
        if (groups.get(name) === own) return { path: name, namespace: 'part' };
        const later = args.kind === 'import-statement' && lazyFileOf(parts.get(name)) !== undefined;
        return { path: name, namespace: later ? 'later' : 'elsewhere' };
      });
      plugin.onLoad({ filter: /.*/, namespace: 'part' }, ({ path: name }) => ({ contents: parts.get(name).text }));
      const fileOf = (name) => `./${files.get(groups.get(name))}`;
      plugin.onLoad({ filter: /.*/, namespace: 'elsewhere' }, ({ path: name }) => ({
        contents: handOn(parts.get(name), fileOf(name), 'in'),
      }));
      plugin.onLoad({ filter: /.*/, namespace: 'later' }, ({ path: name }) => ({
        contents: handOn(parts.get(name), `${fileOf(name)}${LATER}`, 'in'),
      }));
    },
  };
}

/**
 * @typedef {object} File
 * @property {string} name
 * @property {string} text
 * @property {readonly string[]} inputs The sources in it, as paths from the root of the repository.
 * @property {readonly string[]} needs The files that are loaded along with it.
 */

/**
 * Bundles the command line in memory. Throws for a source in two files, and for one at start that must not be there.
 *
 * @returns {Promise<File[]>} the file of the entry first
 */
export async function bundle(entry = ENTRY) {
  const parts = await split(entry);
  const { groups, shared } = groupsOf(parts);
  const members = (group) => [...parts.keys()].filter((name) => groups.get(name) === group);
  const [start] = parts.keys();
  const files = new Map(
    [...new Set(groups.values())].map((group) => [
      group,
      group === start
        ? MAIN
        : group === shared
          ? SHARED
          : nameOf(
              parts.get(group),
              members(group).map((name) => parts.get(name)),
            ),
    ]),
  );
  for (const [group, name] of files) files.set(group, `${lazyFileOf(parts.get(group)) ?? name}.cjs`);
  const built = await Promise.all(
    [...files].map(async ([own, name]) => {
      const contents = members(own).map((part) => handOn(parts.get(part), part, 'out'));
      if (own === start) contents.push(`export * from '${start}';`);
      const { outputFiles } = await build({
        ...SETTINGS,
        ...COMMONJS,
        stdin: { contents: contents.join('\n'), resolveDir: ROOT },
        plugins: [partsPlugin(own, { parts, groups, files })],
      });
      const needs = members(own).flatMap((part) => staticNeeds(part, parts).map((each) => files.get(groups.get(each))));
      return {
        name,
        text: asFunction(withPlainExports(outputFiles[0].text)),
        inputs: members(own).flatMap((part) => parts.get(part).inputs),
        needs: [...new Set(needs)].filter((each) => each !== name),
      };
    }),
  );
  const all = [...built, ...(await Promise.all(LAZY_PACKAGES.map(lazyPackage)))];
  check(all);
  return all;
}

const EXPORTS = /(?:[\w$]+\(([\w$]+),\{((?:[\w$]+:\(\)=>[\w$.]+,?)*)\}\);)?module\.exports=[\w$]+\([\w$]+\)/;
const IMPORTED =
  /=\((\w+),(\w+),(\w+)\)=>\(\3=\1!=null\?[\w$]+\([\w$]+\(\1\)\):\{\},[\w$]+\(\2\|\|!\1\|\|!\1\.__esModule\?[\w$]+\(\3,"default",\{value:\1,enumerable:!0\}\):\3,\1\)\)/g;

/**
 * esbuild defines what a file exports property by property, twice, and copies every property of a module of Node for each source that
 * imports its default export. At a start, which runs everything for the first time, that takes 3 ms. One object with getters, and one that
 * inherits, say the same. Throws for a text in which esbuild has written it in another way.
 */
export function withPlainExports(text) {
  const plain = text
    .replace(EXPORTS, (_, __, names = '') => {
      const getters = names.replace(/([\w$]+):\(\)=>([\w$.]+)/g, 'get $1(){return $2}');
      return `module.exports={__proto__:null,${getters}}`; // without a prototype it is a plain table to V8
    })
    .replace(IMPORTED, '=($1,$2)=>$2||!$1||!$1.__esModule?{__proto__:$1,default:$1}:$1');
  if (/module\.exports=[\w$]+\(|\?[\w$]+\(\w+,"default",/.test(plain))
    throw new Error('esbuild writes exports in another way: see withPlainExports in scripts/bundle.mjs');
  return plain;
}

/** As the loader compiles it: to put a text together there would cost every start a copy of it. */
function asFunction(text) {
  return `(function (exports, require, module, __filename, __dirname) {${text}\n})`;
}

async function lazyPackage(name) {
  const { outputFiles, metafile } = await build({
    ...SETTINGS,
    ...COMMONJS,
    stdin: { contents: `module.exports = require('${name}');`, resolveDir: ROOT },
  });
  const inputs = Object.keys(metafile.inputs).filter((input) => input !== '<stdin>');
  return { name: `${name}.cjs`, text: asFunction(outputFiles[0].text), inputs, needs: [] };
}
