// Writes the version of package.json wherever else it stands, and gives the changelog's "Unreleased" its number and date. `npm version
// 0.2.0` calls it, and commits what it changed.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PLACES, root, splitAtVersion } from './version-places.mjs';

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const tags = execFileSync('git', ['tag', '--list', `v${version}`], { cwd: root, encoding: 'utf8' });
if (tags !== '')
  throw new Error(
    `the tag v${version} exists, so this version was released; take back the number (git checkout package.json package-lock.json) and choose another`,
  );
const changed = new Set(['CHANGELOG.md']);
for (const place of PLACES) {
  const [head, , tail] = splitAtVersion(place);
  writeFileSync(path.join(root, place.file), head + version + tail);
  changed.add(place.file);
}
const changelog = path.join(root, 'CHANGELOG.md');
const text = readFileSync(changelog, 'utf8');
if (!/^## Unreleased$/m.test(text)) throw new Error('CHANGELOG.md has no section "Unreleased"');
writeFileSync(changelog, text.replace(/^## Unreleased$/m, `## ${version} (${new Date().toISOString().slice(0, 10)})`));
execFileSync('git', ['add', '--', ...changed], { cwd: root });
