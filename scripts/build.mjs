// Builds what is shipped: `dist/` is the library as modules (tsc), `dist/bundle/` the command line as a few CommonJS files.
//
// A short-lived process spends its time on finding, reading and compiling modules, so the command line is bundled: our own code in
// one file, each heavy package in a file of its own that is read only when a command needs it. Beside each stands V8's compiled form
// of it, taken after a warm-up run (`scripts/warm-up.cjs`); read by that very Node only. See
// docs/decisions/0006-bundle.md.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bundle = path.join(root, 'dist/bundle');
process.chdir(root);
rmSync('dist', { recursive: true, force: true });

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
for (const worker of ['hash-worker.js', 'prove-worker.js']) copyFileSync(`src/${worker}`, `dist/${worker}`);

/**
 * The cuts between the files: what each holds, by the modules that stand for it. A module that two files import must be in a file of
 * its own (`domain`), or there would be two of it, and two `KeysError` classes.
 */
const CHUNKS = {
  domain: [
    ...readdirSync('src/domain').map((file) => `./src/domain/${file}`),
    './src/store/local/store-path.ts',
    './src/store/remote/address.ts',
  ],
  engine: [
    './src/store/open.ts',
    './src/keyring/keyring.ts',
    './src/keyring/creation.ts',
    './src/store/migrations.ts',
    './src/store/errors.ts',
    './src/store/findings.ts',
    './src/store/copy.ts',
    './src/store/statements.ts',
  ],
  remote: ['./src/store/remote/remote-database.ts'],
  verifier: ['./src/verifier/verifier.ts'],
  manifest: [
    ...readdirSync('src/manifest').map((file) => `./src/manifest/${file}`),
    './src/cli/apply-guards.ts',
    './src/cli/output/plan-view.ts',
  ],
  server: ['./src/server/index.ts'],
  yaml: ['./src/yaml.ts'],
  scan: ['./src/scan/index.ts'],
  drizzle: ['./src/store/drizzle.ts'],
  table: ['./src/cli/output/table.ts'],
  paint: ['./src/cli/output/paint.ts'],
  width: ['string-width'],
  prompts: ['./src/cli/prompts.ts'],
  csv: ['csv-stringify/sync'],
  config: ['./src/cli/config/parse.ts', './src/cli/config/edit.ts'],
  bcrypt: ['bcryptjs'],
  ci: ['ci-info'],
  'better-sqlite3': ['better-sqlite3'], // its JavaScript; the addon stays where npm built it
};

const chunkOf = new Map(
  Object.entries(CHUNKS).flatMap(([name, files]) =>
    files.map((file) => [file.startsWith('.') ? path.resolve(root, file) : file, name]),
  ),
);

/** Turns an import of another file's module into a require of that file. */
const cut = (own) => ({
  name: 'cut',
  setup(plugin) {
    plugin.onResolve({ filter: /.*/ }, (args) => {
      if (args.kind === 'entry-point') return undefined;
      // A package's own imports stay its own: cli-table3 brings another string-width.
      if (!args.resolveDir.startsWith(path.join(root, 'src'))) return undefined;
      const target = args.path.startsWith('.')
        ? path.resolve(args.resolveDir, args.path).replace(/\.js$/, '.ts')
        : args.path;
      const chunk = chunkOf.get(target);
      return chunk && chunk !== own ? { path: `./${chunk}.cjs`, external: true } : undefined;
    });
  },
});

const options = (own) => ({
  bundle: true,
  platform: 'node',
  target: 'node20.17',
  format: 'cjs',
  legalComments: 'none',
  minify: true, // less to read, and less memory; with the names the tool is just over its 50 MiB
  supported: { 'dynamic-import': false }, // written as require, which our loader serves
  external: ['libsql', 'clipboardy', 'bindings'],
  // In CommonJS a module does not know its URL; `../../drizzle` and `./hash-worker.js` are found relative to the bundle.
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  plugins: [cut(own)],
  logLevel: 'warning',
});

/** A file of ours hands on what it exports; a package becomes what Node's `import` would find as its default. */
function contentsFor(file) {
  if (file.startsWith('.')) return `export * from '${file}';`;
  return `const whole = require('${file}'); module.exports = whole.__esModule && whole.default ? whole.default : whole;`;
}

await build({ ...options('cli'), entryPoints: ['src/cli/start.ts'], outfile: path.join(bundle, 'cli.cjs') });
for (const [name, files] of Object.entries(CHUNKS)) {
  const contents = files.map(contentsFor).join('\n');
  await build({ ...options(name), stdin: { contents, resolveDir: root }, outfile: path.join(bundle, `${name}.cjs`) });
}
await build({
  ...options('worker'),
  plugins: [],
  entryPoints: ['src/hash-worker.js'],
  outfile: path.join(bundle, 'hash-worker.js'),
});
// The loader reads bytes as characters. The bundler escapes what is beyond ASCII in strings, but leaves regular expressions as they are.
for (const file of readdirSync(bundle).filter((name) => name.endsWith('.cjs'))) {
  const at = readFileSync(path.join(bundle, file)).findIndex((byte) => byte > 0x7f);
  if (at >= 0) throw new Error(`${file} is not ASCII at byte ${at}: write a \\u escape in the source`);
}
copyFileSync('src/cli/clipboard-helper.mjs', path.join(bundle, 'clipboard-helper.mjs'));
copyFileSync('src/cli/loader.cjs', path.join(bundle, 'loader.cjs'));
writeFileSync(path.join(bundle, 'package.json'), '{ "type": "commonjs" }\n');
execFileSync(process.execPath, ['scripts/warm-up.cjs'], { stdio: 'inherit' });
execFileSync(process.execPath, ['scripts/man.mjs'], { stdio: 'inherit' });
