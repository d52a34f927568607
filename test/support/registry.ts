import { type ExecFileOptions, execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { ROOT } from './built-tool.js';

const npm = (args: readonly string[], options: ExecFileOptions = {}) =>
  promisify(execFile)('npm', args, { ...options, encoding: 'utf8' });

/** The file that npm would publish. */
export async function packed(): Promise<Buffer> {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'unlk-pack-'));
  try {
    await npm(['pack', '--ignore-scripts', '--pack-destination', scratch], { cwd: ROOT });
    const [name = ''] = readdirSync(scratch);
    return readFileSync(path.join(scratch, name));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * A registry on loopback, in which this version is published, so that package managers install it as its users do. Everything else it
 * fetches from the registry that npm is set up with. Returns its URL.
 */
export async function publish(file: Buffer): Promise<string> {
  const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const real = (await npm(['config', 'get', 'registry'])).stdout.trim().replace(/\/$/, '');
  const server = http.createServer(async (request, reply) => {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (request.url === '/unlockos-keys') {
      const integrity = `sha512-${createHash('sha512').update(file).digest('base64')}`;
      const shasum = createHash('sha1').update(file).digest('hex');
      const dist = { tarball: `${address}/unlockos-keys.tgz`, integrity, shasum };
      const { version } = manifest;
      const versions = { [version]: { ...manifest, _id: `unlockos-keys@${version}`, dist } };
      const body = { name: 'unlockos-keys', 'dist-tags': { latest: version }, versions };
      reply.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    } else if (request.url === '/unlockos-keys.tgz') {
      reply.end(file);
    } else {
      const { accept = '*/*' } = request.headers;
      try {
        const answer = await fetch(real + request.url, { headers: { accept } });
        reply.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
        reply.end(Buffer.from(await answer.arrayBuffer()));
      } catch {
        reply.writeHead(502).end();
      }
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
