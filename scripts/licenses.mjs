// Writes dist/THIRD-PARTY-LICENSES: the licence texts of the packages that were put into our files. Part of the build.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const TEXTS = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;

/** The licence whose text names no owner, so that one copy is enough. */
const SAME_FOR_ALL = 'Apache-2.0';

/** The directory of the package that a source belongs to; null for one of ours. */
function packageDirectory(source) {
  const at = source.lastIndexOf('node_modules/');
  if (at < 0) return null;
  const [first, second] = source.slice(at + 'node_modules/'.length).split('/');
  return source.slice(0, at) + path.join('node_modules', first, first.startsWith('@') ? second : '');
}

function entry(directory) {
  const { name, version, license, author } = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8'));
  const files = readdirSync(directory).filter((file) => TEXTS.test(file));
  const texts = files.map((file) => readFileSync(path.join(directory, file), 'utf8').trim());
  if (!license) throw new Error(`${name} names no licence`);
  if (texts.length === 0 && license !== SAME_FOR_ALL) throw new Error(`${name} holds no text of its licence`);
  const owner = typeof author === 'object' ? author?.name : author;
  // The package of drizzle-orm holds no text.
  const said =
    texts.length > 0
      ? texts.join('\n\n')
      : `Copyright ${owner ?? 'its authors'}. The text of ${license} stands in this file, with another package.`;
  return { title: `${name} ${version} (${license})`, said, license, hasText: texts.length > 0 };
}

/** @param {readonly string[]} sources What was put into other files, as paths from the root of the repository. */
export function writeLicenses(sources, target) {
  const directories = new Set(sources.map(packageDirectory));
  const entries = [...directories].filter((each) => each !== null && existsSync(each)).map(entry);
  entries.sort((a, b) => (a.title < b.title ? -1 : 1));
  const bare = entries.find(({ hasText }) => !hasText);
  if (bare && !entries.some(({ license, hasText }) => hasText && license === SAME_FOR_ALL))
    throw new Error(`no text of ${SAME_FOR_ALL} for ${bare.title}`);
  const rule = '-'.repeat(72);
  const parts = entries.map(({ title, said }) => `${rule}\n${title}\n${rule}\n\n${said}\n`);
  writeFileSync(target, `The files of unlockos-keys contain these packages.\n\n${parts.join('\n')}`);
}

/** The packages that the last build put into our files, as dist/THIRD-PARTY-LICENSES names them. */
export function bundledPackages() {
  const text = readFileSync(new URL('../dist/THIRD-PARTY-LICENSES', import.meta.url), 'utf8');
  const titles = text.matchAll(/^-{72}\n(\S+) (\S+) \((.+)\)\n-{72}$/gm);
  return [...titles].map(([, name, version, license]) => ({ name, version, license }));
}
