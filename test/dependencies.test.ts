import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { scratch } from './support/stores.js';

const read = (file: string) => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'));
const manifest = read('package.json') as Record<string, Record<string, string>>;
const lock = read('package-lock.json') as {
  packages: Record<
    string,
    { version?: string; integrity?: string; resolved?: string; dev?: boolean; hasInstallScript?: boolean }
  >;
};
const locked = Object.entries(lock.packages).filter(([place]) => place !== '');

test('every locked package has a checksum, and none names the registry that it came from', () => {
  expect(locked.length).toBeGreaterThan(300);
  expect(locked.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([place]) => place)).toEqual([]);
  expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([place]) => place)).toEqual([]);
});

test('every dependency is pinned to the version that is locked', () => {
  const { dependencies, optionalDependencies, devDependencies, overrides } = manifest;
  const all = { ...dependencies, ...optionalDependencies, ...devDependencies };
  for (const [name, version] of Object.entries(all))
    expect({ name, version }).toEqual({ name, version: lock.packages[`node_modules/${name}`]?.version });
  for (const [name, version] of Object.entries(overrides ?? {})) {
    const versions = locked.filter(([place]) => place.endsWith(`node_modules/${name}`)).map(([, each]) => each.version);
    expect({ name, versions: [...new Set(versions)] }).toEqual({ name, versions: [version] });
  }
});

test('the release checks the signatures of what it installs, before it publishes', () => {
  const workflow = readFileSync(new URL('../.github/workflows/release.yml', import.meta.url), 'utf8');
  const steps = [...workflow.matchAll(/- run: (npm \S+(?: signatures)?)/g)].map(([, command]) => command);
  expect(steps).toEqual(['npm ci', 'npm audit signatures', 'npm run', 'npm publish']);
});

test('nothing that an installation gets has an install script: package managers run none, or ask first', () => {
  const installed = locked.filter(([, { dev }]) => !dev);
  expect(installed.length).toBeGreaterThan(20);
  expect(installed.filter(([, each]) => each.hasInstallScript).map(([place]) => place)).toEqual([]);
});

test('npm ci takes no package that differs from the locked one, whatever the registry says of it', async () => {
  const folder = scratch();
  const npm = (...args: string[]) =>
    promisify(execFile)('npm', [...args, '--cache', path.join(folder, 'cache')], { cwd: folder, encoding: 'utf8' });
  const tarball = async (text: string) => {
    const source = path.join(folder, text);
    mkdirSync(source);
    writeFileSync(path.join(source, 'package.json'), '{"name":"left","version":"1.0.0"}');
    writeFileSync(path.join(source, 'index.js'), `console.log('${text}');`);
    await npm('pack', source, '--pack-destination', source);
    return readFileSync(path.join(source, 'left-1.0.0.tgz'));
  };
  const integrity = (file: Buffer) => `sha512-${createHash('sha512').update(file).digest('base64')}`;
  const genuine = await tarball('genuine');
  let served = await tarball('forged');
  const server = http.createServer((request, reply) => {
    if (request.url?.endsWith('.tgz')) return void reply.end(served);
    const dist = { tarball: `http://${request.headers.host}/left.tgz`, integrity: integrity(served) };
    const versions = { '1.0.0': { name: 'left', version: '1.0.0', dist } };
    reply.end(JSON.stringify({ name: 'left', 'dist-tags': { latest: '1.0.0' }, versions }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const dependencies = { left: '1.0.0' };
  const entry = { version: '1.0.0', integrity: integrity(genuine) }; // as every entry of ours: without the place it came from
  const packages = { '': { dependencies }, 'node_modules/left': entry };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ dependencies }));
  writeFileSync(path.join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
  const registry = `--registry=http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await expect(npm('ci', registry, '--no-audit', '--loglevel=error')).rejects.toThrow('EINTEGRITY');
  expect(existsSync(path.join(folder, 'node_modules/left/index.js'))).toBe(false);
  served = genuine;
  await npm('ci', registry, '--no-audit', '--loglevel=error');
  expect(readFileSync(path.join(folder, 'node_modules/left/index.js'), 'utf8')).toContain('genuine');
});
