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
 * A name for the file of a group: of an entry whose source is in it, of the first source of ours in it by the alphabet, or of an entry that only hands on
 * what other files export.
 */
function nameOf(group, members) {
  const entries = [group, ...members].filter(({ entryPoint }) => entryPoint !== undefined);
  const source =
    entries.find(({ inputs }) => inputs.length > 0)?.entryPoint ??
    members
      .flatMap(({ inputs }) => inputs)
      .sort()
      .find((input) => packageOf(input) === null) ??
    entries[0]?.entryPoint ??
    members.flatMap(({ inputs }) => inputs)[0];
  if (source === undefined) throw new Error('a file of the bundle has no source to be named after');
  return (packageOf(source) ?? source.replace(/^src\//, '').replace(/\.ts$/, '')).replaceAll('/', '-');
}

const IMPORT_OF_PART = /(?<=^|[;}\n])import\{([^{}]*)\}from"\.\/([\w.-]+\.js)"/g;
const IMPORT_OF_NODE = /(?<=^|[;}\n])import ?(?:([\w$]+),?)?(?:\{([^{}]*)\})? ?from"(node:[\w/]+)"/g;
const IMPORT_OF_ALL_OF_NODE = /(?<=^|[;}\n])import\*as [\w$]+ from"(node:[\w/]+)"/g;
const IMPORT_LATER = /\bimport\("\.\/([\w.-]+\.js)"\)/g;

/** The names on the left of `a as b,c`. */
function namesIn(list = '') {
  return list.split(',').map((each) => each.split(' as ')[0].trim());
}

/**
 * What these parts import: names by part, names by module of Node (but for those that one imports as a whole), and the parts that they load with
 * `import()`.
 */
function importsOfAll(members, parts) {
  const [ofParts, ofNode, later] = [new Map(), new Map(), new Set()];
  const add = (map, key, names) => map.set(key, new Set([...(map.get(key) ?? []), ...names]));
  for (const member of members) {
    const { text } = parts.get(member);
    const at = (file) => path.join(path.dirname(member), file);
    for (const [, list, file] of text.matchAll(IMPORT_OF_PART)) add(ofParts, at(file), namesIn(list));
    if (/from"\.\//.test(text.replace(IMPORT_OF_PART, '')))
      throw new Error(`esbuild imports a part in another way: see IMPORT_OF_PART in scripts/bundle.mjs (${member})`);
    for (const [, whole, list, name] of text.matchAll(IMPORT_OF_NODE))
      add(ofNode, name, [...(whole ? ['default'] : []), ...(list ? namesIn(list) : [])]);
    for (const [, file] of text.matchAll(IMPORT_LATER)) later.add(at(file));
  }
  for (const member of members)
    for (const [, name] of parts.get(member).text.matchAll(IMPORT_OF_ALL_OF_NODE)) ofNode.delete(name);
  return { ofParts, ofNode, later };
}

/**
 * The last statement of a file: what it exports, by part. Plain values, because a getter for each costs every start more than to run the rest
 * of the file; nothing of ours is exported and changed later (`test/architecture.test.ts`).
 *
 * @param {ReadonlyMap<string, Iterable<string>>} exported The names that others import, by part.
 */
function tableOf(exported, parts, start) {
  const imports = [];
  const tables = [...exported].map(([name, names]) => {
    const { number } = parts.get(name);
    const values = [...names].map((each) => [each, `$${number}_${each}`]);
    if (values.length > 0)
      imports.push(`import { ${values.map(([each, value]) => `${each} as ${value}`).join(', ')} } from '${name}';`);
    const table = `{ ${values.map((pair) => pair.join(': ')).join(', ')} }`;
    return name === start ? `${number}: ${table}, ...${table}` : `${number}: ${table}`;
  });
  return `${imports.join('\n')}\nexported({ ${tables.join(', ')} });`;
}

/** Shows a group its own parts as they are, and those of other groups as what the other file exports. */
function partsPlugin(own, imported, { parts, groups, files }) {
  const fileOf = (name) => `./${files.get(groups.get(name))}`;
  const placeOf = (name) => `${fileOf(name)}#${parts.get(name).number}`;
  const textOf = (name) =>
    parts.get(name).text.replace(IMPORT_LATER, (_, file) => {
      const place = placeOf(path.join(path.dirname(name), file));
      return `importPart(${JSON.stringify(place)})`;
    });
  /** Once for the whole file. */
  const handOn = (names, from) => `export { ${[...names].join(', ')} } from ${JSON.stringify(from)};`;
  const constants = (name) => {
    const values = [...imported.ofParts.get(name)].map((each) => `${each} = part.${each}`);
    return `import file from '${fileOf(name)}'; const part = file[${parts.get(name).number}]; export const ${values.join(', ')};`;
  };
  const later = (name) => handOn(imported.ofParts.get(name), `${placeOf(name)}${LATER}`);
  const loaders = {
    part: textOf,
    elsewhere: (name) => (lazyFileOf(parts.get(name)) === undefined ? constants(name) : later(name)),
    table: (name) => `export default require(${JSON.stringify(name)});`,
    node: (name) => handOn(imported.ofNode.get(name), name),
  };
  return {
    name: 'parts',
    setup(plugin) {
      plugin.onResolve({ filter: /.*/ }, ({ path: name, namespace, importer }) => {
        if (LAZY_PACKAGES.includes(name)) return { path: `./${name}.cjs${LATER}`, external: true };
        if (namespace === 'elsewhere' && !name.endsWith(LATER)) return { path: name, namespace: 'table' };
        if (namespace === 'part' && imported.ofNode.has(name)) return { path: name, namespace: 'node' };
        const isPart = namespace === 'part' && name.startsWith('./');
        const part = isPart ? path.join(path.dirname(importer), name) : name;
        if (!parts.has(part)) return { path: name, external: true };
        return { path: part, namespace: groups.get(part) === own ? 'part' : 'elsewhere' };
      });
      for (const [namespace, contentsOf] of Object.entries(loaders))
        plugin.onLoad({ filter: /.*/, namespace }, ({ path: name }) => ({ contents: contentsOf(name) }));
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
 * The names that each group must export, by its parts: what another file imports, and all that a part exports which is loaded with `import()`.
 */
function exportsOf(imports, { parts, groups, start }) {
  const exported = new Map([...imports.keys()].map((group) => [group, new Map()]));
  const add = (name, names) => {
    const tables = exported.get(groups.get(name));
    tables.set(name, new Set([...(tables.get(name) ?? []), ...names]));
  };
  for (const [own, { ofParts, later }] of imports) {
    for (const [name, names] of ofParts) if (groups.get(name) !== own) add(name, names);
    for (const name of later) add(name, parts.get(name).exports);
  }
  add(start, parts.get(start).exports);
  return exported;
}

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
  const imports = new Map([...files.keys()].map((group) => [group, importsOfAll(members(group), parts)]));
  const exported = exportsOf(imports, { parts, groups, start });
  const built = await Promise.all(
    [...files].map(async ([own, name]) => {
      const { outputFiles } = await build({
        ...SETTINGS,
        ...COMMONJS,
        stdin: { contents: tableOf(exported.get(own), parts, start), resolveDir: ROOT },
        plugins: [partsPlugin(own, imports.get(own), { parts, groups, files })],
      });
      const needs = members(own).flatMap((part) => staticNeeds(part, parts).map((each) => files.get(groups.get(each))));
      return {
        name,
        text: asFunction(withPlainImports(withoutLate(outputFiles[0].text, name))),
        inputs: members(own).flatMap((part) => parts.get(part).inputs),
        needs: [...new Set(needs)].filter((each) => each !== name),
      };
    }),
  );
  const all = [...built, ...(await Promise.all(LAZY_PACKAGES.map(lazyPackage)))];
  check(all);
  return all;
}

/** Throws for a file that exports what is in one that is loaded later: to read it for the table would load it at once. */
export function withoutLate(text, name) {
  const [late] = /[\w$]+\.[\w$]+/.exec(text.slice(text.lastIndexOf('exported(')).replaceAll('...', '')) ?? [];
  if (late !== undefined) throw new Error(`${name} exports ${late} of a file that is loaded later`);
  return text;
}

const IMPORTED =
  /=\((\w+),(\w+),(\w+)\)=>\(\3=\1!=null\?[\w$]+\([\w$]+\(\1\)\):\{\},[\w$]+\(\2\|\|!\1\|\|!\1\.__esModule\?[\w$]+\(\3,"default",\{value:\1,enumerable:!0\}\):\3,\1\)\)/g;

/**
 * esbuild copies every property of a module of Node whose default export is imported. At a start, which runs everything for the first time,
 * that takes 2 ms. One object that inherits says the same. Throws for a text in which esbuild has written it in another way.
 */
export function withPlainImports(text) {
  const plain = text.replace(IMPORTED, '=($1,$2)=>$2||!$1||!$1.__esModule?{__proto__:$1,default:$1}:$1');
  if (/\?[\w$]+\(\w+,"default",/.test(plain))
    throw new Error('esbuild writes imports in another way: see withPlainImports in scripts/bundle.mjs');
  return plain;
}

/** As the loader compiles it: to put a text together there would cost every start a copy of it. */
function asFunction(text) {
  return `(function (require, importPart, exported, module, __filename, __dirname) {${text}\n})`;
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
