import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { REPORTS } from '../../src/cli/settings/global-flags.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { scene } from '../support/scan-scenes.js';
import { scratch } from '../support/stores.js';
import { testCli } from '../support/test-cli.js';

const NAME = 'a ü,:%.txt';

async function leaked() {
  const { cli, write, dir } = scene();
  const { keyString, id } = await cli.create('partner');
  const unknown = mintKeyString('live');
  write(NAME, `first\nKEY=${keyString}\n`);
  write('bad.txt', `${unknown.keyString.slice(0, -1)}${unknown.keyString.endsWith('a') ? 'b' : 'a'}\n`);
  return { cli, dir, id, unknown, secrets: [keyString.slice(23), unknown.secret] };
}

test('scan -o sarif is a SARIF log: a rule for each result, paths as URIs below the working directory, no secret', async () => {
  const { cli, dir, id, unknown, secrets } = await leaked();
  writeFileSync(path.join(dir, unknown.keyString), 'a key string as the name of a file');
  const { exitCode, stdout, stderr } = await cli.run('scan', dir, '--all', '-o', 'sarif');
  expect(exitCode).toBe(7);
  for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
  const log = JSON.parse(stdout);
  expect(log).toMatchObject({ version: '2.1.0', runs: [{ tool: { driver: { name: 'unlockos-keys' } } }] });
  const [{ results, tool, invocations }] = log.runs;
  expect(invocations).toMatchObject([{ executionSuccessful: true, toolExecutionNotifications: [] }]);
  const rules = tool.driver.rules.map((rule: { id: string }) => rule.id);
  for (const { ruleId, message } of results) {
    expect(rules).toContain(ruleId);
    expect(message.text).toMatch(/unlk_(live|test)_\w{12}_…/);
  }
  const place = (ruleId: string, key: string) =>
    results.find((each: { ruleId: string; properties: { keyId: string } }) => {
      return each.ruleId === ruleId && each.properties.keyId === key;
    }).locations[0].physicalLocation;
  expect(place('active-key', id)).toEqual({
    artifactLocation: { uri: `work/a%20%C3%BC%2C%3A%25.txt`, uriBaseId: '%SRCROOT%' },
    region: { startLine: 2 },
  });
  expect(place('damaged-key-string', unknown.id).region).toEqual({ startLine: 1 });
  expect(place('key-string', unknown.id)).not.toHaveProperty('region'); // found in the name of a file
});

test('scan -o sarif names a file outside of the working directory by an absolute URI', async () => {
  const outside = scratch();
  writeFileSync(path.join(outside, 'a b.txt'), mintKeyString('test').keyString);
  const { stdout } = await testCli().run('scan', outside, '-o', 'sarif');
  const [{ results }] = JSON.parse(stdout).runs;
  expect(results[0].locations[0].physicalLocation.artifactLocation.uri).toMatch(/^file:\/\/\/.*\/a%20b\.txt$/);
});

test('scan -o sarif takes a file whose name begins with two dots for one below the working directory', async () => {
  const cli = testCli();
  writeFileSync(path.join(cli.dir, '..odd'), mintKeyString('test').keyString);
  const { stdout } = await cli.run('scan', '..odd', '-o', 'sarif');
  const [{ results }] = JSON.parse(stdout).runs;
  const { artifactLocation } = results[0].locations[0].physicalLocation;
  expect(artifactLocation).toEqual({ uri: '..odd', uriBaseId: '%SRCROOT%' });
});

test('scan -o github annotates each file, and nothing in a name ends or adds a command', async () => {
  const { cli, dir, id, secrets } = await leaked();
  writeFileSync(path.join(dir, 'x\n::error::y'), mintKeyString('test').keyString);
  const { exitCode, stdout } = await cli.run('scan', dir, '--all', '-o', 'github');
  expect(exitCode).toBe(7);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  for (const line of lines)
    expect(line).toMatch(/^::(error|notice) file=[^,:]+(,line=\d+)?,title=unlockos-keys scan::[^\n]+$/);
  expect(lines.find((line) => line.includes(id))).toContain('::error file=work/a ü%2C%3A%25.txt,line=2,title=');
  for (const secret of secrets) expect(stdout).not.toContain(secret);
});

test('reports say what could not be read, and exit with 9', async () => {
  const { cli, dir } = scene();
  for (const [format, text] of [
    ['sarif', '"text": "could not read'],
    ['github', '::warning file='],
  ] as const) {
    const { exitCode, stdout } = await cli.run('scan', path.join(dir, 'missing'), '-o', format);
    expect([exitCode, stdout]).toEqual([9, expect.stringContaining(text)]);
  }
});

test('diff -o markdown is a table whose cells hold no markup of a name', async () => {
  const cli = testCli();
  const name = 'evil `|` @me <img> **x**';
  await cli.run('create', name, '--test', '-s', 'plan:read', '-l', 'manifest=team', '-o', 'value');
  const manifest = (keys: string) => {
    writeFileSync(path.join(cli.dir, 'keys.yaml'), `version: 1\nname: team\nkeys:\n${keys}`);
    return cli.run('diff', '-f', 'keys.yaml', '--prune', '--exit-code', '-o', 'markdown');
  };
  const { exitCode, stdout, stderr } = await manifest('  - { name: two, mode: test, scopes: [plan:read] }\n');
  expect([exitCode, stderr]).toEqual([7, '']);
  expect(stdout).toContain('`apply` of `keys.yaml` would create 1 key, disable 1 key.\n');
  expect(stdout).toContain('| **disable** | ``evil `\\|` @me <img> **x**`` | test |');
  const rows = stdout.split('\n').filter((line) => line.startsWith('|'));
  expect(rows).toHaveLength(4);
  for (const row of rows) expect(row.replaceAll('\\|', '').match(/\|/g)).toHaveLength(5);
});

test('diff -o markdown says so when there is nothing to change', async () => {
  const cli = testCli();
  await cli.create('there');
  writeFileSync(path.join(cli.dir, 'keys.yaml'), 'version: 1\nname: team\nkeys: []\n');
  expect(await cli.run('diff', '-f', 'keys.yaml', '--exit-code', '-o', 'markdown')).toMatchObject({
    exitCode: 0,
    stdout: 'Nothing to change: the store matches `keys.yaml`.\n',
  });
});

test.each(
  Object.entries(REPORTS).flatMap(([owner, reports]) => reports.map((report) => [owner, report] as const)),
)('only %s has the format %s: any other command refuses it and changes nothing', async (owner, report) => {
  const cli = testCli();
  await cli.create('there');
  const { exitCode, stderr } = await cli.run('create', 'a', '--test', '-s', 'plan:read', '-o', report);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(`only ${owner} has it`)]);
  expect((await cli.run(owner, '--json', '-o', report)).exitCode).toBe(2);
  expect(await cli.names()).toEqual(['there']);
  cli.env.UNLOCKOS_KEYS_OUTPUT = report;
  expect((await cli.run('list')).exitCode).toBe(2);
});
