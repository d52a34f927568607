import { fstatSync, readSync, statSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import os from 'node:os';
import type { Writable } from 'node:stream';
import tty from 'node:tty';
import ci from 'ci-info';
import { osUser } from '../files/os-user.js';
import { VERSION } from '../version.js';
import type { Context, Input, Output } from './context.js';
import { systemClipboard } from './delivery/clipboard.js';
import { isForeground, processClaim } from './delivery/this-process.js';
import { isDumb } from './settings/global-flags.js';
import type { OUR_SECRETS } from './settings/our-secrets.js';
import { homeDirectory, workingDirectory } from './surroundings.js';

/** Waits for the slow reader of a pipe: a non-blocking descriptor returns EAGAIN until it has caught up. */
function waitABit(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
}

function isAgain(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

/** Makes the cheap checks first: they rule out pipes, files and /dev/null without loading Node's terminal modules. */
function isTerminal(descriptor: 0 | 1 | 2): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice() && !isNullDevice(descriptor) && tty.isatty(descriptor);
  } catch {
    return false; // closed by the parent process
  }
}

function isPipe(descriptor: 1 | 2): boolean {
  const stats = fstatSync(descriptor);
  return stats.isFIFO() || stats.isSocket();
}

/** `os.devNull`, without loading `node:os`. */
const NULL_DEVICE = process.platform === 'win32' ? '\\\\.\\nul' : '/dev/null';

function isNullDevice(descriptor: 0 | 1 | 2): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isCharacterDevice() && stats.rdev === statSync(NULL_DEVICE).rdev;
  } catch {
    return false;
  }
}

/** Writes synchronously: an exit or a crash must not truncate the output, and the caller must learn of a failure. */
function output(descriptor: 1 | 2): Output {
  let stream: Writable | undefined;
  /** Node makes the pipe as it was at the end. */
  const pipe = () => {
    stream ??= new Socket({ fd: descriptor, readable: false, writable: true }).on('error', () => {});
    return stream;
  };
  return {
    get isTTY() {
      return isTerminal(descriptor);
    },
    get isNull() {
      return isNullDevice(descriptor);
    },
    columns: () => (isTerminal(descriptor) ? new tty.WriteStream(descriptor).columns : undefined),
    async writeWaiting(text) {
      if (!isPipe(descriptor)) return this.write(text);
      const stream = pipe();
      await new Promise<void>((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(error) : resolve()));
      });
    },
    write(text) {
      const bytes = Buffer.from(text);
      for (let offset = 0; offset < bytes.length; ) {
        try {
          offset += writeSync(descriptor, bytes, offset);
        } catch (error) {
          if (!isAgain(error)) throw error;
          waitABit();
        }
      }
    },
  };
}

/** Writes in another thread, so that a stopped terminal does not block the process. */
function writeLater(descriptor: 1 | 2, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  return new Promise((resolve, reject) => {
    const from = (offset: number) =>
      write(descriptor, bytes, offset, (error, written) => {
        if (error && isAgain(error)) setTimeout(from, 10, offset);
        else if (error) reject(error);
        else if (offset + written < bytes.length) from(offset + written);
        else resolve();
      });
    from(0);
  });
}

const PIECE = 65_536;

const stdin: Input = {
  get isTTY() {
    return isTerminal(0);
  },
  readAll(limit) {
    const parts: Buffer[] = [];
    let length = 0;
    for (const piece of stdin.pieces()) {
      length += piece.length;
      if (length > limit) throw new RangeError(`more than ${limit} bytes on stdin`);
      parts.push(Buffer.from(piece));
    }
    return Buffer.concat(parts);
  },
  *pieces() {
    const bytes = Buffer.allocUnsafe(PIECE);
    for (;;) {
      try {
        const read = readSync(0, bytes, 0, PIECE, null);
        if (read === 0) return;
        yield bytes.subarray(0, read);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EOF') return;
        if (!isAgain(error)) throw error;
        waitABit();
      }
    }
  },
};

/** Removes a secret from the environment, so that no child process inherits it. */
function take(name: string): string | undefined {
  const value = process.env[name] || undefined;
  delete process.env[name];
  return value;
}

const takeOurs = (name: (typeof OUR_SECRETS)[number]) => take(name);

function onSignals(signals: readonly NodeJS.Signals[], heard: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of signals) process.on(signal, heard);
  return () => {
    for (const signal of signals) process.removeListener(signal, heard);
  };
}

/** The composition root of the command line: the only place that uses the real streams, store, prompts and clipboard. */
export function systemContext(): Context {
  process.umask(0o077);
  return {
    authToken: takeOurs('UNLOCKOS_KEYS_AUTH_TOKEN'),
    peppers: takeOurs('UNLOCKOS_KEYS_PEPPERS'),
    redisPassword: takeOurs('UNLOCKOS_KEYS_REDIS_PASSWORD'),
    idToken: takeOurs('UNLOCKOS_KEYS_ID_TOKEN'),
    take,
    env: process.env,
    get cwd() {
      return workingDirectory();
    },
    platform: process.platform,
    stdin,
    stdout: output(1),
    stderr: output(2),
    now: () => new Date(),
    get ci() {
      return ci.isCI ? { name: ci.name ?? 'CI' } : null;
    },
    get osUser() {
      return osUser();
    },
    get host() {
      return os.hostname();
    },
    get home() {
      return homeDirectory();
    },
    version: VERSION,
    nodeVersion: process.version,
    claim: {
      get word() {
        return processClaim().word;
      },
      isLive: (word) => processClaim().isLive(word),
    },
    foreground: () => isForeground(),
    onSignals,
    log: (text) => writeLater(2, text),
    openStore: async (location, options) => (await import('../store/open.js')).openStore(location, options),
    prompts: async (look) => {
      if (isDumb(process)) return (await import('./asking/plain-prompts.js')).plainPrompts();
      if (process.env.NO_COLOR) delete process.env.FORCE_COLOR; // of both, Node warns where @inquirer asks it for colours
      return (await import('./asking/prompts.js')).terminalPrompts(look);
    },
    get clipboard() {
      return systemClipboard(process.env, output(2));
    },
  };
}
