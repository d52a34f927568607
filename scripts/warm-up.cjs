// Runs the built command line once, in a throw-away store, and writes V8's compiled form of every file that it used, functions
// included. Part of the build.
'use strict';
const { mkdtempSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const bundle = path.join(__dirname, '../dist/bundle');
const { load, scripts } = require(path.join(bundle, 'loader.cjs'));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-build-'));
const store = path.join(scratch, 'keys.db');
const key = path.join(scratch, 'key');

const RUNS = [
  ['create', 'warm-up', '--test-mode', '--scope', 'checkin:read', '--key-file', key, '--quiet'],
  ['list', '--json'],
  ['list'],
  ['show', 'warm-up', '--json'],
  ['verify', '--key-file', key],
  ['audit', 'list', '-o', 'jsonl'],
  ['disable', 'warm-up', '--quiet'],
  ['list', '-o', 'csv'],
  ['--help'],
  ['create', '--help'],
  ['--version'],
];

const silent = { isTTY: false, columns: () => undefined, write() {} };

async function warmUp() {
  for (const file of readdirSync(bundle))
    if (file.endsWith('.cjs') && file !== 'loader.cjs') load(path.join(bundle, file));
  const { main, systemContext } = load(path.join(bundle, 'cli.cjs'));
  for (const args of RUNS) {
    const code = await main([...args, '--store', store], {
      ...systemContext(),
      env: {},
      ci: null,
      stdout: silent,
      stderr: silent,
      hashCost: 4,
    });
    if (code !== 0) throw new Error(`warm-up: ${args[0]} ended with ${code}`);
  }
  process.umask(0o022); // the tool set its own; these files are for everybody who may run it
  for (const [file, script] of scripts) writeFileSync(`${file}.v8`, script.createCachedData());
}

warmUp().finally(() => rmSync(scratch, { recursive: true, force: true }));
