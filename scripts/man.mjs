// Writes the man page, from the command tree and the help topics: `node scripts/man.mjs [FILE]`, by default dist/man/unlockos-keys.1.
// Part of the build.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadBundled, root } from './bundled-module.mjs';

const file = path.resolve(process.argv[2] ?? path.join(root, 'dist/man/unlockos-keys.1'));
const { programForDocs, manPage } = await loadBundled(
  "export { programForDocs } from './src/cli/program.ts'; export { manPage } from './scripts/man-page.ts';",
);
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

mkdirSync(path.dirname(file), { recursive: true });
writeFileSync(file, manPage(await programForDocs(), version));
