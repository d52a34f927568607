import path from 'node:path';
import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { scan, scene } from '../support/scan-scenes.js';

test('disables the keys whose secret is right, with the reason in the audit log; still exit 7', async () => {
  const { cli, write, dir } = scene();
  const [leaked, bystander, off] = [
    await cli.create('leaked', '--live'),
    await cli.create('bystander'),
    await cli.create('off'),
  ];
  await cli.run('disable', 'off');
  const forged = mintKeyString('test');
  write('a', `${leaked.keyString}\n${leaked.keyString}\n${off.keyString}\n${forged.keyString}`);
  const { exitCode, found } = await scan(cli, dir, '--disable');
  expect(exitCode).toBe(7);
  expect(found.map(({ name, status, disabled }) => [name, status, disabled])).toEqual([
    ['leaked', 'inactive', true],
    ['leaked', 'inactive', true],
    ['off', 'inactive', true],
    [null, null, false],
  ]);
  expect((await cli.json('show', bystander.id)).status).toBe('active');
  const [event] = await cli.json('audit', 'list', '--key', leaked.id, '--action', 'key.disable');
  expect(event.reason).toBe('found by scan: work/a:1');
  expect(await cli.json('audit', 'list', '--action', 'key.disable')).toHaveLength(2);
});

test('does not disable a key whose id was put into another key string', async () => {
  const { cli, write, dir } = scene();
  const { keyString, id } = await cli.create('victim');
  const { checksum } = await import('../../src/domain/key-parts.js');
  const body = `${keyString.slice(0, 23)}${mintKeyString('test').secret}`;
  write('a', body + checksum(body));
  const { exitCode, found } = await scan(cli, dir, '--disable');
  expect({ exitCode, found }).toMatchObject({
    exitCode: 7,
    found: [{ id, name: 'victim', status: 'active', disabled: false }],
  });
});

test('disables what it can when the pepper of one key is missing; exit 9', async () => {
  const { cli, write, dir } = scene();
  await cli.run('store', 'pepper', 'peppers');
  const bcrypt = await cli.create('bcrypt');
  const before = cli.env;
  cli.env = { ...before, UNLOCKOS_KEYS_PEPPER_FILE: path.join(cli.dir, 'peppers') };
  await cli.run('store', 'hash', 'hmac-sha256');
  const peppered = await cli.create('peppered');
  cli.env = before;
  write('a', `${peppered.keyString}\n${bcrypt.keyString}`);
  const { exitCode, found, stderr } = await scan(cli, dir, '--disable');
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 9,
    stderr: expect.stringMatching(/peppered.*not be disabled/),
  });
  expect(found.map(({ name, status, disabled }) => [name, status, disabled])).toEqual([
    ['peppered', 'active', false],
    ['bcrypt', 'inactive', true],
  ]);
});

test.each([
  ['pairs of surrogates', ['', '', '', 'x'].map((first) => first + '\u{1f511}'.repeat(60)).join('/')],
  ['a joined emoji', `\u{1f468}\u200d\u{1f469}${'y'.repeat(200)}/${'z'.repeat(95)}`],
  ['escapes', `${'\u001b'.repeat(60)}/${'\u202e'.repeat(60)}/${'z'.repeat(99)}`],
])('logs the end of a long path; disables the key even if the cut is in %s', async (_, file) => {
  const { cli, write, dir } = scene();
  const { keyString, id } = await cli.create('k');
  write(file, keyString);
  expect((await scan(cli, dir, '--disable')).found).toMatchObject([{ disabled: true }]);
  const [event] = await cli.json('audit', 'list', '--key', id, '--action', 'key.disable');
  expect(event.reason).toMatch(/^found by scan: .{200,}:1$/u);
});

test('disables nothing in a dry run, or in a protected profile without --confirm', async () => {
  const { cli, write, dir } = scene();
  write('a', (await cli.create('k')).keyString);
  expect((await cli.run('scan', dir, '--disable', '-n')).stderr).toMatch(/Dry run: would disable k/);
  cli.env = { UNLOCKOS_KEYS_CONFIG_DIR: cli.dir };
  await cli.run('profile', 'add', 'p', '--store', cli.store, '--protected', '--use');
  expect(await scan(cli, dir, '--disable')).toMatchObject({
    exitCode: 6,
    found: [{ name: 'k', status: 'active', disabled: false }],
  });
  expect((await cli.json('show', 'k')).status).toBe('active');
  expect((await scan(cli, dir, '--disable', '--confirm', 'k')).exitCode).toBe(7);
  expect((await cli.json('show', 'k')).status).toBe('inactive');
});
