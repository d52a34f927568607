// Runs the built command line once, in a throw-away store, and writes V8's compiled form of every file that it used, functions
// included. Part of the build.
'use strict';
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const v8 = require('node:v8');

const bundle = path.join(__dirname, '../dist/bundle');
const tool = path.join(__dirname, '../bin/unlockos-keys.js');
const { load, scripts, compiledName } = require(path.join(bundle, 'loader.cjs'));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-build-'));
const store = path.join(scratch, 'keys.db');

/**
 * What runs most, made in another process first. Functions that only other commands use are left out on purpose: reading them in
 * would cost every start more than compiling them costs the few that need them.
 */
const MAKE = ['create', 'warm-up', '--test-mode', '--scope', 'checkin:read', '-o', 'value', '--store', store];
const RUNS = [['list', '--json', '--limit', '1', '--store', store], ['list', '--store', store], ['--help']];

const silent = { isTTY: false, columns: () => undefined, write() {} };

async function warmUp() {
  v8.setFlagsFromString('--no-flush-bytecode'); // else the garbage collector throws away what ran once, each file's top level first
  execFileSync(process.execPath, [tool, ...MAKE], { stdio: 'pipe' });
  const { main, systemContext } = load(path.join(bundle, 'cli.cjs'));
  for (const args of RUNS) {
    const world = { ...systemContext(), env: {}, ci: null, stdin: silent, stdout: silent, stderr: silent };
    const code = await main(args, world);
    if (code !== 0) throw new Error(`warm-up: ${args[0]} ended with ${code}`);
  }
  v8.setFlagsFromString('--flush-bytecode'); // V8 compares its flags when it loads the compiled form
  process.umask(0o022); // the tool set its own; these files are for everybody who may run it
  for (const [file, script] of scripts) writeFileSync(compiledName(file), script.createCachedData());
}

warmUp().finally(() => rmSync(scratch, { recursive: true, force: true }));
