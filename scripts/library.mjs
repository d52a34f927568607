// Builds the library: `dist/` is what tsc makes of the modules that package.json exports, and of those that they import.
//
// Two packages are put into the one module that imports each. Of the 12 MB of drizzle the library uses 100 KB; and Node 20.17 warns of an
// import of JSON, which the table of characters is.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const IMPORTS = /(?:from |import\(|import )['"](\.[^'"]+)['"]/g;

function filesIn(directory) {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

/** The declarations in package.json's exports, and all that they import. */
function reachable(declarations) {
  const found = new Set(declarations.map((file) => path.normalize(file)));
  for (const file of found) {
    for (const [, target] of readFileSync(file, 'utf8').matchAll(IMPORTS))
      found.add(path.join(path.dirname(file), target.replace(/\.js$/, '.d.ts')));
  }
  return found;
}

/** Removes what nobody can import: declarations that no public one needs, and modules that held types only. */
function removeUnreachable({ exports }) {
  const declarations = Object.values(exports).flatMap(({ types }) => types ?? []);
  const wanted = reachable(declarations);
  for (const file of filesIn('dist')) if (file.endsWith('.d.ts') && !wanted.has(file)) rmSync(file);
}

/** @returns {Promise<string[]>} the sources that were put into a file, as paths from the root of the repository */
export async function buildLibrary() {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
  // `assetUrl` (src/files/asset.ts) finds it here, from `dist/` and from `dist/bundle/` alike.
  copyFileSync('src/hashing/bcrypt-worker.js', 'dist/hashing/bcrypt-worker.js');
  removeUnreachable(JSON.parse(readFileSync('package.json', 'utf8')));
  const { metafile } = await build({
    entryPoints: ['src/store/drizzle.ts', 'src/domain/confusables.ts'],
    outdir: 'dist',
    outbase: 'src',
    charset: 'utf8',
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'node20.17',
    minifySyntax: true,
    minifyWhitespace: true, // but names stay as they are, for stack traces
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  return Object.keys(metafile.inputs);
}
