// Builds what is shipped: `dist/` is the library (`library.mjs`), `dist/bundle/` the command line as a few CommonJS files (`bundle.mjs`).
//
// A short-lived process spends its time on finding, reading and compiling modules. So the command line is bundled, and V8's compiled form
// of what common commands load is taken after a warm-up run (`warm-up.mjs`). See docs/decisions/0006-bundle.md.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';
import { buildLibrary } from './library.mjs';
import { writeLicenses } from './licenses.mjs';
import { buildOf, loader } from './loader.mjs';

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const run = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });

rmSync('dist', { recursive: true, force: true });
const inLibrary = await buildLibrary();

mkdirSync('dist/bundle');
const files = await bundle();
const build = buildOf(files);
for (const { name, text } of files) writeFileSync(`dist/bundle/${name}`, `${text}\n//${build}`);
writeLicenses([...inLibrary, ...files.flatMap(({ inputs }) => inputs)], 'dist/THIRD-PARTY-LICENSES');
copyFileSync('src/cli/delivery/clipboard-helper.mjs', 'dist/bundle/clipboard-helper.mjs');
writeFileSync('dist/bundle/loader.cjs', await loader(build));
writeFileSync('dist/bundle/package.json', '{ "type": "commonjs" }\n');
run('scripts/pages.mjs');
run('scripts/warm-up.mjs');
run('scripts/man.mjs');
