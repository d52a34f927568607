// Builds what is shipped: `dist/` is the library as modules (tsc), `dist/bundle/` the command line as a few CommonJS files.
//
// A short-lived process spends its time on finding, reading and compiling modules, so the command line is bundled: our own code in
// one file, each heavy package in a file of its own that is read only when a command needs it. Beside each stands V8's compiled form
// of it, taken after a warm-up run (`scripts/warm-up.cjs`); another V8 rejects that and compiles as usual. See
// docs/decisions/0006-bundle.md.
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bundle = path.join(root, 'dist/bundle');
process.chdir(root);
rmSync('dist', { recursive: true, force: true });

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
copyFileSync('src/hash-worker.js', 'dist/hash-worker.js');

/** Modules of ours that stand for a heavy package: the only importers of it, and the cut between the files. */
const CHUNKS = {
  drizzle: 'src/store/drizzle.ts',
  table: 'src/cli/output/table.ts',
  prompts: 'src/cli/prompts.ts',
  csv: 'csv-stringify/sync',
  bcrypt: 'bcryptjs',
};

const resolved = new Map(
  Object.entries(CHUNKS).map(([name, file]) => [file.startsWith('src/') ? path.join(root, file) : file, name]),
);

/** Turns an import of a chunk into a require of its file. */
const cut = (own) => ({
  name: 'cut',
  setup(plugin) {
    plugin.onResolve({ filter: /.*/ }, (args) => {
      if (args.kind === 'entry-point') return undefined;
      const target = args.path.startsWith('.')
        ? path.resolve(args.resolveDir, args.path).replace(/\.js$/, '.ts')
        : args.path;
      const chunk = resolved.get(target);
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
  supported: { 'dynamic-import': false }, // written as require, which our loader serves
  external: ['better-sqlite3', 'libsql', 'clipboardy'],
  // In CommonJS a module does not know its URL; `../../drizzle` and `./hash-worker.js` are found relative to the bundle.
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  plugins: [cut(own)],
  logLevel: 'warning',
});

await build({ ...options('cli'), entryPoints: ['src/cli/start.ts'], outfile: path.join(bundle, 'cli.cjs') });
for (const [name, file] of Object.entries(CHUNKS)) {
  await build({ ...options(name), entryPoints: [file], outfile: path.join(bundle, `${name}.cjs`) });
}
await build({
  ...options('worker'),
  plugins: [],
  entryPoints: ['src/hash-worker.js'],
  outfile: path.join(bundle, 'hash-worker.js'),
});
copyFileSync('src/cli/clipboard-helper.mjs', path.join(bundle, 'clipboard-helper.mjs'));
copyFileSync('src/cli/loader.cjs', path.join(bundle, 'loader.cjs'));
writeFileSync(path.join(bundle, 'package.json'), '{ "type": "commonjs" }\n');
execFileSync(process.execPath, ['scripts/warm-up.cjs'], { stdio: 'inherit' });
