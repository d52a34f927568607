// Bundles TypeScript of the repository in memory and loads it, for scripts that need the tool's own code.
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The exports of `contents`, a module whose relative imports start at the root of the repository. */
export async function loadBundled(contents) {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    external: ['better-sqlite3', 'libsql'], // all else goes in: required from here, an ES module would be its own default export
    define: { 'import.meta.url': '""', 'import.meta.filename': '""' },
    logLevel: 'warning',
  });
  if (warnings.length > 0)
    throw new Error('what a build warns of is shown to everybody who installs a checkout: mend it');
  const module = { exports: {} };
  const load = new Function('require', 'module', 'exports', outputFiles[0].text);
  load(createRequire(path.join(root, 'package.json')), module, module.exports);
  return module.exports;
}
