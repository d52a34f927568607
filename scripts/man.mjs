// Writes the man page, from the tree of commands and the topics of the help: `node scripts/man.mjs [FILE]`, by default
// dist/man/unlockos-keys.1. Part of the build.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const file = path.resolve(process.argv[2] ?? path.join(root, 'dist/man/unlockos-keys.1'));

const { outputFiles } = await build({
  stdin: {
    contents: "export { programForDocs } from './src/cli/main.ts'; export { manPage } from './scripts/man-page.ts';",
    resolveDir: root,
  },
  bundle: true,
  write: false,
  platform: 'node',
  format: 'cjs',
  packages: 'external',
  define: { 'import.meta.url': '""' },
  logLevel: 'warning',
});
const module = { exports: {} };
new Function('require', 'module', 'exports', outputFiles[0].text)(
  createRequire(path.join(root, 'package.json')),
  module,
  module.exports,
);
const { programForDocs, manPage } = module.exports;
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

mkdirSync(path.dirname(file), { recursive: true });
writeFileSync(file, manPage(programForDocs(), version));
