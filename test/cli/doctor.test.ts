import { chmodSync, existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

interface Finding {
  check: string;
  status: string;
  detail: string;
  hint: string | null;
}

describe('store check and doctor', () => {
  test('find a new store in order', async () => {
    const cli = testCli();
    await cli.create('one');
    const findings: Finding[] = await cli.json('doctor');
    expect(findings.map(({ check, status }) => `${check}: ${status}`)).toEqual([
      'tool: ok',
      'config: ok',
      'profile: ok',
      'store: ok',
      'token from: ok',
      'peppers from: ok',
      'output: ok',
      'timeout: ok',
      'expiry: ok',
      'rate limit: ok',
      'actor: ok',
      'engine: ok',
      'schema: ok',
      'file mode: ok',
      'writable: ok',
      'directory mode: ok',
      'integrity: ok',
      'references: ok',
      'triggers: ok',
      'tables: ok',
      'last-used times: ok',
      'keys: ok',
      'use of keys: ok',
      'hashes: ok',
      'audit log: ok',
      'audit log seen before: ok',
      'clipboard: ok',
    ]);
    expect(findings[0]?.detail).toBe('unlockos-keys 9.8.7 on Node v20.0.0, linux');
    const checked = await cli.json('store', 'check');
    expect(checked.map(({ check }: Finding) => check)).toEqual(findings.slice(11, -1).map(({ check }) => check));
  });

  test('warn of a store that others can read, and say what to do', async () => {
    const cli = testCli();
    await cli.create('one');
    chmodSync(cli.store, 0o644);
    const { exitCode, stdout, stderr } = await cli.run('store', 'check');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/file mode +! warning/);
    expect(stderr).toContain(`file mode: chmod 600 ${cli.store}`);
  });

  test('answer 7 when a guard is gone', async () => {
    const cli = testCli();
    await cli.create('one');
    await cli.sql('drop trigger api_keys_immutable');
    for (const argv of [['doctor'], ['store', 'check']]) {
      const { exitCode, stdout } = await cli.run(...argv);
      expect(exitCode).toBe(7);
      expect(stdout).toMatch(/triggers +× failed +missing or altered: api_keys_immutable/);
    }
  });

  test('doctor of a store that was never made warns and makes none', async () => {
    const cli = testCli();
    cli.env = {};
    const findings: Finding[] = await cli.json('doctor');
    expect(findings.find(({ check }) => check === 'schema')).toMatchObject({ status: 'warning' });
    expect(existsSync(`${cli.home}/.local`)).toBe(false);
  });

  test('doctor answers 7 for a named store that is missing, with what to do', async () => {
    const { exitCode, stdout } = await testCli().run('doctor', '--json');
    expect(exitCode).toBe(7);
    expect(JSON.parse(stdout)).toContainEqual(
      expect.objectContaining({ check: 'store_missing', status: 'failed', hint: expect.any(String) }),
    );
  });

  test('doctor says that nothing can be copied here, and why', async () => {
    const cli = testCli({ clipboard: { route: 'local', works: false, copied: [], problem: 'there is no display' } });
    await cli.create('one');
    const { exitCode, stdout, stderr } = await cli.run('doctor');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/clipboard +! warning +--copy cannot work here: there is no display/);
    expect(stderr).toContain('clipboard: on Linux, install wl-clipboard or xsel');
  });

  test('doctor says where copies go over SSH', async () => {
    const cli = testCli({ clipboard: { route: 'terminal', works: true, copied: [] } });
    expect((await cli.run('doctor')).stdout).toContain('sends copies to the terminal (OSC 52)');
  });
});
