// How long the tool takes to start: from the checkout, and installed from the packed file, on this Node and on each that
// UNLOCKOS_KEYS_TEST_NODES names (paths, separated by colons).
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { peakMemory, processRatios, report } from './measure.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '..');
const NODES = [process.execPath, ...(process.env.UNLOCKOS_KEYS_TEST_NODES ?? '').split(':').filter(Boolean)];

/** What npm would publish, unpacked where an install puts it, its dependencies beside it. Answers the entry point. */
function installed(scratch) {
  const modules = path.join(scratch, 'installed/node_modules');
  mkdirSync(modules, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch], {
    cwd: root,
    stdio: 'ignore',
  });
  const [packed] = readdirSync(scratch).filter((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['xzf', path.join(scratch, packed), '-C', modules]);
  renameSync(path.join(modules, 'package'), path.join(modules, 'unlockos-keys'));
  for (const name of readdirSync(path.join(root, 'node_modules')).filter((each) => !each.startsWith('.')))
    symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
  return path.join(modules, 'unlockos-keys/bin/unlockos-keys.js');
}

function floorOn(node) {
  const program = "require('node:module').isBuiltin('node:sqlite') && process.versions.node >= '22.16'";
  const has = execFileSync(node, ['-p', program], { encoding: 'utf8' }).trim();
  return path.join(here, has === 'true' ? 'floor-list-node.cjs' : 'floor-list.cjs');
}

/** The group `startup` of run.mjs. The installed tool has run before: its first run of a command compiles what the next ones read. */
export function startup(scratch, store) {
  const forms = { checkout: path.join(root, 'bin/unlockos-keys.js'), installed: installed(scratch) };
  for (const node of NODES) {
    const version = execFileSync(node, ['-p', 'process.version'], { encoding: 'utf8' }).trim();
    const floor = [floorOn(node), store];
    const ratios = (args, to) => processRatios(args, to, { node });
    for (const [form, tool] of Object.entries(forms)) {
      const list = (...more) => [tool, 'list', ...more, '--limit', '20', '--quiet', '--store', store];
      const name = (what) => `${version}, ${form}: ${what}`;
      const aims = form === 'checkout' ? { list: 1.1, help: 1.35 } : { list: 1.25, help: 1.4 };
      report(name('list --json, 1,000 keys / bare script'), ratios(list('--json'), floor), aims.list);
      report(name('list (table) / bare script'), ratios(list(), floor), null);
      report(name('--help / node -e 0'), ratios([tool, '--help'], ['-e', '0']), aims.help);
      report(name('--version / node -e 0'), ratios([tool, '--version'], ['-e', '0']), aims.help);
      const peaks = Array.from({ length: 5 }, () => peakMemory(list('--json'), node));
      report(name('list --json, peak memory'), peaks, 49, 'MiB');
    }
    report(`${version}: bare script, peak memory`, [peakMemory(floor, node)], null, 'MiB');
  }
}
