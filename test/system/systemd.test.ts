import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { Served } from '../support/served.js';
import { scratch } from '../support/stores.js';

// Needs systemd-analyze.

const unitFile = (name: string) => path.join(ROOT, `deploy/systemd/${name}.service`);
const settingOf = (name: string, setting: string) =>
  new RegExp(`^${setting}=(.*)$`, 'm').exec(readFileSync(unitFile(name), 'utf8'))?.[1] ?? '';
const setting = (name: string) => settingOf('unlockos-keys', name);

const units = readdirSync(path.join(ROOT, 'deploy/systemd')).map((file) => path.basename(file, '.service'));

test.each(units)('%s has no mistake, and an exposure of at most 2.0', (name) => {
  const analyze = (...args: string[]) => execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: 'pipe' });
  analyze('security', '--offline=true', '--threshold=20', unitFile(name)); // fails above the threshold
  const copy = path.join(scratch(), `${name}.service`);
  writeFileSync(copy, readFileSync(unitFile(name), 'utf8').replace(/^(ExecStart=)\S+/m, `$1${process.execPath}`));
  expect(analyze('verify', copy)).toBe('');
});

test('its command line serves, reloads and stops', async () => {
  const place = new Place();
  await place.key('partner', '--live');
  const rules = place.write('rules.yaml', '- { path: /**, scopes: [checkin:read] }\n');
  const [, program, command, ...args] = /^(\S+) (\S+) (.*)$/.exec(setting('ExecStart')) ?? [];
  expect([program, command]).toEqual(['/usr/local/bin/unlockos-keys', 'serve']);
  const words = args
    .join(' ')
    .replace('127.0.0.1:8787', '127.0.0.1:0')
    .replace('/etc/unlockos-keys/rules.yaml', rules)
    .split(' ');
  const served = new Served(place, words);
  await served.url();
  served.child.kill('SIGHUP');
  await served.said('rules were read again');
  served.child.kill('SIGTERM');
  expect(await once(served.child, 'exit')).toEqual([0, null]);
});

test('the command line of the unit for jobs issues, reloads and stops', async () => {
  const place = new Place();
  await place.key('other');
  const words = settingOf('unlockos-keys-issue', 'ExecStart').split(' ');
  expect(words.slice(0, 2)).toEqual(['/usr/local/bin/unlockos-keys', 'issue']);
  const rules = place.write('issue.yaml', block('docs/issue.md', '# issue.yaml'));
  const args = words
    .slice(2)
    .join(' ')
    .replace('127.0.0.1:8788', '127.0.0.1:0')
    .replace('/etc/unlockos-keys/issue.yaml', rules);
  const served = new Served(place, args.split(' '), {}, process.execPath, 'issue');
  await served.url();
  served.child.kill('SIGHUP');
  await served.said('rules were read again');
  expect(await served.ended('SIGTERM')).toEqual([0, null]);
});

test('it is not started again after an error that stays', async () => {
  const place = new Place();
  for (const [args, code] of [
    [['--environment', 'nonsense'], 2],
    [['--environment', 'live', '--listen', '0.0.0.0:0'], 6],
  ] as const) {
    const served = new Served(place, args);
    expect(await once(served.child, 'exit')).toEqual([code, null]);
    expect(setting('RestartPreventExitStatus').split(' ')).toContain(String(code));
  }
});
