// Builds what `bin/unlockos-keys.js` loads: the loader of the bundle. It is read and compiled anew at every start, so it holds nothing else.
import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { loadBundled } from './bundled-module.mjs';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const EXPORTS = /(?:[\w$]+\(([\w$]+),\{((?:[\w$]+:\(\)=>[\w$.]+,?)*)\}\);)?module\.exports=[\w$]+\([\w$]+\)/;

/** esbuild defines what a file exports property by property, twice. One object with getters says the same. */
function withPlainExports(text) {
  const plain = text.replace(EXPORTS, (_, __, names = '') => {
    const getters = names.replace(/([\w$]+):\(\)=>([\w$.]+)/g, 'get $1(){return $2}');
    return `module.exports={__proto__:null,${getters}}`; // without a prototype it is a plain table to V8
  });
  if (/module\.exports=[\w$]+\(/.test(plain))
    throw new Error('esbuild writes exports in another way: see withPlainExports in scripts/loader.mjs');
  return plain;
}

/** Names what was built: a hash of all files of the bundle. Each ends with it (`src/loader/loader.ts`). */
export function buildOf(files) {
  const all = createHash('sha256');
  for (const { name, text } of files) all.update(`${name}\n${text}\n`);
  return all.digest('hex');
}

/** The text of `loader.cjs` for the files of this build. */
export async function loader(buildId) {
  const { COMMANDS } = await loadBundled("export { COMMANDS } from './src/cli/commands/index.ts';");
  const words = COMMANDS.flatMap(([, commands]) => commands.flat());
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/loader/loader.ts'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.17',
    minify: true,
    write: false,
    define: { BUILD: JSON.stringify(buildId), COMMAND_WORDS: JSON.stringify(words) },
    logLevel: 'warning',
  });
  return withPlainExports(outputFiles[0].text);
}
