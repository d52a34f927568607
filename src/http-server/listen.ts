import { chmodSync, lstatSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';

/** Where to listen: an address and a port (0: any free port), or the path of a Unix socket. */
export type Listen = { readonly host: string; readonly port: number } | { readonly path: string };

const SOCKET_MODE = 0o660;

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there: choose another port, or stop that program',
  EACCES: 'permission denied: choose a port above 1023, or a directory that you can write to',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/**
 * Resolves to the address, as text, once the server accepts requests. A Unix socket that a killed server left behind is replaced. Throws
 * `listen_failed` when the address is not available.
 */
export async function listen(server: Server, where: Listen): Promise<string> {
  try {
    await startListening(server, where);
  } catch (error) {
    if (!('path' in where) || !(await isStale(where.path, error))) throw listenFailed(where, error as Error);
    rmSync(where.path);
    await startListening(server, where);
  }
  if ('path' in where) {
    chmodSync(where.path, SOCKET_MODE);
    return `unix:${where.path}`;
  }
  const { address, family, port } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

function startListening(server: Server, where: Listen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen('path' in where ? { path: where.path } : { host: where.host, port: where.port }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** A socket on which nobody listens any more. */
async function isStale(path: string, error: unknown): Promise<boolean> {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !lstatSync(path).isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
  });
}

function listenFailed(where: Listen, { code }: NodeJS.ErrnoException): KeysError {
  const address = 'path' in where ? where.path : `${where.host}:${where.port}`;
  const message = `cannot listen on ${safeText(address)} (${code ?? 'unknown error'})`;
  return new KeysError('listen_failed', message, HINTS[code ?? '']);
}
