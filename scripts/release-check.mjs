// `npm run release:check`: what must be true of a version before it is published. It ends with the files to publish, in release/: the
// package, the list of what is in it (SBOM), and their checksums. It publishes nothing; .github/workflows/release.yml does.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkPackage } from './check-package.mjs';
import { bundledPackages } from './licenses.mjs';
import { PLACES, root, splitAtVersion } from './version-places.mjs';

/** Licences that go with ours, without more than their text. */
const LICENCES = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'Unlicense'];
/** Tests that hold what is generated or written about the tool to the tool. */
const CURRENT = ['test/docs', 'test/schema', 'test/cli/man.test.ts', 'test/dependencies.test.ts'];

const read = (file) => readFileSync(path.join(root, file), 'utf8');
const run = (file, ...args) => execFileSync(file, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
const said = (file, ...args) => execFileSync(file, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 }).trim();

const { version } = JSON.parse(read('package.json'));

function findProblems() {
  const problems = [];
  if (said('git', 'status', '--porcelain') !== '') problems.push('there are changes that are not committed');
  const commit = (name) => said('git', 'rev-list', '-n', '1', name);
  if (said('git', 'tag', '--list', `v${version}`) !== '' && commit(`v${version}`) !== commit('HEAD'))
    problems.push(`the tag v${version} is on another commit; npm version sets the next version`);
  for (const place of PLACES) {
    const [, there] = splitAtVersion(place);
    if (there !== version) problems.push(`${place.file} says ${there}; npm version sets it`);
  }
  const [, section = ''] = read('CHANGELOG.md').split(/^## /m);
  const [title = '', ...lines] = section.split('\n');
  const dated = /^(\S+) \(\d{4}-\d\d-\d\d\)$/.exec(title);
  if (dated?.[1] !== version)
    problems.push(`CHANGELOG.md begins with "${title}", not with "${version} (DATE)"; npm version sets it`);
  else if (!lines.some((line) => line.startsWith('- '))) problems.push(`CHANGELOG.md says nothing of ${version}`);
  return problems;
}

/** What is installed with the package or was built into it, as CycloneDX. npm leaves out what was built in, which is a tool to it. */
function materials() {
  const sbom = JSON.parse(said('npm', 'sbom', '--package-lock-only', '--sbom-format', 'cyclonedx'));
  const built = new Set(bundledPackages().map(({ name, version: each }) => `${name}@${each}`));
  const isOurs = ({ 'bom-ref': ref, properties = [] }) =>
    built.has(ref) || !properties.some(({ name }) => name === 'cdx:npm:package:development');
  const components = sbom.components.filter(isOurs).map((each) => {
    const properties = (each.properties ?? []).filter(({ name }) => name !== 'cdx:npm:package:development');
    if (built.has(each['bom-ref'])) properties.push({ name: 'unlockos-keys:built-in', value: 'true' });
    return { ...each, properties };
  });
  const refs = new Set([sbom.metadata.component['bom-ref'], ...components.map((each) => each['bom-ref'])]);
  const dependencies = sbom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
  const component = { ...sbom.metadata.component, name: 'unlockos-keys' };
  return { ...sbom, metadata: { ...sbom.metadata, component }, components, dependencies };
}

/** `(MIT OR CC0-1.0)` leaves the choice; `AND` does not, and is on no list. */
function licenceProblems({ components }) {
  const named = ({ licenses = [] }) =>
    licenses.map(({ license, expression }) => license?.id ?? license?.name ?? expression);
  const choices = (text) => text.replace(/^\((.*)\)$/, '$1').split(' OR ');
  return components
    .filter((each) => !named(each).some((text) => choices(text).some((name) => LICENCES.includes(name))))
    .map((each) => `${each['bom-ref']} has the licence ${named(each).join(', ') || 'of nobody'}`);
}

function stop(problems) {
  if (problems.length === 0) return;
  for (const problem of problems) console.error(`error: ${problem}`);
  process.exit(1);
}

// What a step found stands above, in its own words; where in this file it was called says nothing more.
process.once('uncaughtException', ({ message }) => stop([message]));
stop(findProblems());
run('npm', 'run', '--silent', 'build');
run('npx', '--no', 'vitest', 'run', ...CURRENT);

rmSync(path.join(root, 'release'), { recursive: true, force: true });
mkdirSync(path.join(root, 'release'));
const file = `unlockos-keys-${version}.tgz`;
run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', 'release');
checkPackage(path.join(root, 'release', file));

const sbom = materials();
stop(licenceProblems(sbom));
writeFileSync(path.join(root, 'release', `unlockos-keys-${version}.cdx.json`), `${JSON.stringify(sbom, null, 2)}\n`);

const scratch = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-release-'));
try {
  const packed = path.join(root, 'release', file);
  run('npm', 'install', '--silent', '--prefix', scratch, '--omit=optional', '--ignore-scripts', packed);
  const runs = said(path.join(scratch, 'node_modules/.bin/unlockos-keys'), '--version');
  if (runs !== version) stop([`the packed tool says that it is ${runs}`]);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

const sums = [file, `unlockos-keys-${version}.cdx.json`].map((name) => {
  const digest = createHash('sha256')
    .update(readFileSync(path.join(root, 'release', name)))
    .digest('hex');
  return `${digest}  ${name}\n`;
});
writeFileSync(path.join(root, 'release/SHA256SUMS'), sums.join(''));
console.log(
  `Ready to publish, in release/ (${sbom.components.length} packages inside or beside it):\n${sums.join('')}`.trim(),
);
