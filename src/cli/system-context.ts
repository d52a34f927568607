import { fstatSync, readSync, statSync, write, writeSync } from 'node:fs';
import os from 'node:os';
import tty from 'node:tty';
import ci from 'ci-info';
import { VERSION } from '../version.js';
import { systemClipboard } from './clipboard.js';
import type { Context, Input, Output } from './context.js';

/** Waits for a pipe whose other side is slow; non-blocking descriptors answer EAGAIN until it has caught up. */
function waitABit(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
}

function isAgain(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

/** Asks the cheap question first: a pipe or a file is no terminal, and finding that out needs none of Node's terminal modules. */
function isTerminal(descriptor: 0 | 1 | 2): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice() && tty.isatty(descriptor);
  } catch {
    return false; // closed by whoever started us
  }
}

function isNullDevice(descriptor: 1 | 2): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isCharacterDevice() && stats.rdev === statSync(os.devNull).rdev;
  } catch {
    return false;
  }
}

/** Synchronous, because a `process.exit` or a crash must not cut what was written, and the caller must hear of a failure. */
function output(descriptor: 1 | 2): Output {
  return {
    get isTTY() {
      return isTerminal(descriptor);
    },
    get isNull() {
      return isNullDevice(descriptor);
    },
    columns: () => (isTerminal(descriptor) ? new tty.WriteStream(descriptor).columns : undefined),
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

/** In another thread, so that a terminal that was stopped holds up its reader alone. */
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
    return Buffer.concat(parts).toString('utf8');
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

function osUser(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`; // a container may run as a uid without a name
  }
}

/** Takes a secret out of the environment, so that no child process inherits it. */
function take(name: 'UNLOCKOS_KEYS_AUTH_TOKEN' | 'UNLOCKOS_KEYS_PEPPERS'): string | undefined {
  const value = process.env[name] || undefined;
  delete process.env[name];
  return value;
}

function onSignals(signals: readonly NodeJS.Signals[], heard: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of signals) process.on(signal, heard);
  return () => {
    for (const signal of signals) process.removeListener(signal, heard);
  };
}

/** The composition root of the command line: the only place that knows the real streams, store, prompts and clipboard. */
export function systemContext(): Context {
  process.umask(0o077);
  return {
    authToken: take('UNLOCKOS_KEYS_AUTH_TOKEN'),
    peppers: take('UNLOCKOS_KEYS_PEPPERS'),
    env: process.env,
    cwd: process.cwd(),
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
      return os.homedir();
    },
    version: VERSION,
    nodeVersion: process.version,
    onSignals,
    log: (text) => writeLater(2, text),
    openStore: async (location, options) => (await import('../store/open.js')).openStore(location, options),
    prompts: async () => (await import('./prompts.js')).terminalPrompts(),
    clipboard: systemClipboard(process.env, output(2)),
  };
}
