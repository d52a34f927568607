// Writes the pages of help that the loader prints without loading a command (`src/loader/pages.ts`): what the built tool prints into a pipe.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBundled } from './bundled-module.mjs';

const bundle = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'dist/bundle');
const { load } = createRequire(import.meta.url)(path.join(bundle, 'loader.cjs'));
const { main, systemContext } = load('cli.cjs');
const { programForDocs } = await loadBundled("export { programForDocs } from './src/cli/program.ts';");

/** The words that call each command, and those of its group. */
function callsOf(command, before = []) {
  return command.commands.flatMap((each) => {
    const words = [...before, each.name()];
    return [words, ...callsOf(each, words)];
  });
}

async function pageOf(words) {
  let text = '';
  const write = (part) => {
    text += part;
  };
  const stdout = { isTTY: false, isNull: false, columns: () => undefined, write };
  const code = await main([...words, '--help'], { ...systemContext(), env: {}, stdout });
  if (code !== 0) throw new Error(`the help of ${words.join(' ')} ended with ${code}`);
  return text;
}

mkdirSync(path.join(bundle, 'help'));
for (const words of [[], ...callsOf(await programForDocs())])
  writeFileSync(path.join(bundle, 'help', `${['page', ...words].join('-')}.txt`), await pageOf(words));
