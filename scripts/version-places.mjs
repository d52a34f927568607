// Where the version of a release is written, beside package.json and the lockfile: `before` and `after` stand around it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

export const PLACES = [
  { file: 'src/version.ts', before: "VERSION = '", after: "'" },
  { file: 'schema/serve.openapi.json', before: '"version": "', after: '"' },
  { file: 'schema/issue.openapi.json', before: '"version": "', after: '"' },
  { file: 'action.yml', before: 'install\n    default: ', after: '\n' },
  { file: 'deploy/gitlab/unlockos-keys.yml', before: '/unlockos-keys/v', after: '/' },
  { file: 'deploy/gitlab/unlockos-keys.yml', before: 'install\n      default: ', after: '\n' },
  { file: 'deploy/container/Dockerfile', before: 'ARG VERSION=', after: '\n' },
  { file: 'docs/ci.md', before: 'unlockos/unlockos-keys@v', after: '\n' },
  { file: 'docs/ci.md', before: 'unlockos/unlockos-keys/v', after: '/' },
  { file: 'docs/install.md', before: 'unlockos-keys@', after: '`' },
];

/** The text of a place up to the version, the version, and the rest. Throws where the place is not as it says. */
export function splitAtVersion({ file, before, after }, text = readFileSync(path.join(root, file), 'utf8')) {
  const start = text.indexOf(before) + before.length;
  const end = text.indexOf(after, start);
  if (start < before.length || end < 0 || text.includes(before, start))
    throw new Error(`${file} must hold ${JSON.stringify(before)} once, followed by the version`);
  return [text.slice(0, start), text.slice(start, end), text.slice(end)];
}
