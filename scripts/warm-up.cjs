// Runs the built command line once, in a throw-away store, and writes V8's compiled form of every file that it used, functions
// included. Part of the build.
'use strict';
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const http = require('node:http');
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

const YAML =
  'profiles:\n  away:\n    store: http://127.0.0.1:PORT\n    tokenFile: token\n    defaults: { output: json, expires: 90d }\n';

/** What a server of an empty store answers to `list`: the two statements of it, in the form of the protocol. */
const text = (value) => (typeof value === 'number' ? { type: 'integer', value: `${value}` } : { type: 'text', value });
const { entries } = require('../drizzle/meta/_journal.json');
const migrations = entries.map(({ tag }, i) => [i + 1, tag].map(text));
const results = [
  { cols: [{}, {}], rows: migrations },
  { cols: [], rows: [] },
];
const ANSWER = JSON.stringify({
  results: [{ type: 'ok', response: { type: 'batch', result: { step_results: results, step_errors: [null, null] } } }],
});

/** A list through a profile, so that the way to a remote store is compiled as well. */
async function warmUpRemote(main, world) {
  const server = http.createServer((_, reply) => reply.end(ANSWER));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  writeFileSync(path.join(scratch, 'token'), 'token', { mode: 0o600 });
  writeFileSync(path.join(scratch, 'config.yaml'), YAML.replace('PORT', `${server.address().port}`), { mode: 0o600 });
  const env = { UNLOCKOS_KEYS_CONFIG_DIR: scratch };
  const code = await main(['list', '--limit', '1', '-p', 'away'], { ...world, env });
  server.close();
  if (code !== 0) throw new Error(`warm-up: a remote list ended with ${code}`);
}

const silent = { isTTY: false, columns: () => undefined, write() {} };

async function warmUp() {
  v8.setFlagsFromString('--no-flush-bytecode'); // else the garbage collector throws away what ran once, each file's top level first
  execFileSync(process.execPath, [tool, ...MAKE], { stdio: 'pipe' });
  const { main, systemContext } = load(path.join(bundle, 'cli.cjs'));
  const world = { ...systemContext(), ci: null, home: scratch, stdin: silent, stdout: silent, stderr: silent, env: {} };
  for (const args of RUNS) {
    const code = await main(args, world);
    if (code !== 0) throw new Error(`warm-up: ${args[0]} ended with ${code}`);
  }
  await warmUpRemote(main, world);
  v8.setFlagsFromString('--flush-bytecode'); // V8 compares its flags when it loads the compiled form
  process.umask(0o022); // the tool set its own; these files are for everybody who may run it
  for (const [file, script] of scripts) writeFileSync(compiledName(file), script.createCachedData());
}

warmUp().finally(() => rmSync(scratch, { recursive: true, force: true }));
