import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

test('store policy: shown, set for one mode, and honoured by create, --like, rotate and apply', async () => {
  const cli = testCli();
  await cli.create('partner', '--live');
  const dry = await cli.run('store', 'policy', '--max-lifetime', '365d', '--mode', 'live', '-n');
  expect(dry.stdout).toContain('live 365d at most');
  expect(await cli.json('store', 'policy')).toMatchObject({ maxLifetime: { live: null, test: null } });
  expect((await cli.run('store', 'policy', '--max-lifetime', '365d', '--mode', 'live')).exitCode).toBe(0);
  expect((await cli.run('store', 'policy')).stdout).toMatch(/New live keys {2}live 365d at most\nNew test keys /);

  const long = await cli.run('create', 'x', '--live', '-s', 'plan:read', '--expires', 'never', '-o', 'value');
  expect([long.exitCode, long.stdout]).toEqual([6, '']);
  expect(long.stderr).toContain('the key "x" would never expire, and the store lets new live keys live 365d at most');
  const end = '2027-11-23T10:00:00.000Z';
  await cli.create('partner-2', '--like', 'partner');
  expect((await cli.json('show', 'partner-2')).expiresAt).toBe(end);
  await cli.create('partner-2', '--live', '--if-exists', 'rotate');
  expect((await cli.json('show', 'partner-2')).expiresAt).toBe(end);
  await cli.run('rotate', 'partner', '--overlap', '0', '-o', 'value');
  expect((await cli.json('show', 'partner')).expiresAt).toBe(end);

  const file = path.join(cli.dir, 'keys.yaml');
  const manifest = (expiry: string) => `
version: 1
name: m
keys:
  - { name: made, mode: live, scopes: [plan:read]${expiry} }
  - { name: tested, mode: test, scopes: [plan:read] }
`;
  writeFileSync(file, manifest(', expires: 400d'));
  const refused = await cli.run('diff', '-f', file);
  expect(refused.stderr).toMatch(/keys.yaml:5:\d+: the key would live until .* 365d at most/);
  writeFileSync(file, manifest(''));
  expect((await cli.run('apply', '-f', file, '--key-dir', 'made', '--yes')).exitCode).toBe(0);
  expect((await cli.json('show', 'made')).expiresAt).toBe(end);
  expect((await cli.json('show', 'tested')).expiresAt).toBeNull();

  for (const wrong of [
    ['--mode', 'live'],
    ['--max-lifetime', '365'],
    ['--max-lifetime', '1d', '--mode', 'both'],
  ])
    expect((await cli.run('store', 'policy', ...wrong)).exitCode).toBe(2);
  expect((await cli.run('store', 'policy', '--max-lifetime', 'none')).exitCode).toBe(0);
  expect((await cli.run('audit', 'list', '--action', 'store.policy')).stdout).toContain(
    'max-lifetime-live: 365d → none',
  );
});
