import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { readTextFile } from '../../files/private-file.js';
import type { Context } from '../context.js';

// What the commands that run a server have in common: where they listen, their file of rules, and how they end.

export const LOGGED = ['all', 'refused', 'none'] as const;

const MAX_RULES_BYTES = 1_048_576;

type Where = { readonly host: string; readonly port: number } | { readonly path: string };

/** Reads `--listen`. Throws `usage` for an invalid address. */
function readListen(text: string): Where {
  if (text.startsWith('unix:') && text.length > 5) return { path: text.slice(5) };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9A-Za-z.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535)
    throw new KeysError(
      'usage',
      `--listen ${quoted(text)} is not an address`,
      '127.0.0.1:8787, [::1]:8787 or unix:/run/keys.sock',
    );
  return { host, port };
}

/** Of names, only `localhost` is trusted to mean this machine. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Reads `--listen`. Throws `guarded` for an address that other machines reach, unless that is allowed. */
export function listenAddress(text: string, allowHttp: boolean): Where {
  const where = readListen(text);
  if ('host' in where && !isLoopback(where.host) && !allowHttp)
    throw new KeysError(
      'guarded',
      `${where.host} can be reached from other machines, and key strings would be sent in clear text`,
      'listen on 127.0.0.1 behind a proxy with TLS, or pass --allow-http in a network that you trust',
    );
  return where;
}

/**
 * Reads a file of rules, now and whenever it is called again. `flag` is what names it. A pipe is read once, at the start: later, every request
 * would wait until somebody writes to it.
 */
export function rulesFile(file: string, flag: string): () => string {
  let pipes = true;
  return () => {
    const text = readTextFile(file, {
      what: 'the rules',
      code: 'usage',
      maxBytes: MAX_RULES_BYTES,
      pipes,
      hint: `${flag} FILE`,
    });
    pipes = false;
    return text;
  };
}

type Line = (level: 'info' | 'error', message: string, fields?: Record<string, string>) => void;

/** Resolves when the process is told to end. Until then, SIGHUP has the rules read again; those in force stay when that fails. */
export async function untilTold(ctx: Context, line: Line, readAgain: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const reread = async () => {
      try {
        await readAgain();
        line('info', 'rules were read again');
      } catch (error) {
        const why = error instanceof KeysError ? error.message : 'unknown error';
        line('error', 'the rules stay as they were', { error: why });
      }
    };
    let reading = Promise.resolve();
    ctx.onSignals(['SIGHUP'], () => {
      reading = reading.then(reread); // one after the other, so that the last file read is in force
    });
    const end = ctx.onSignals(['SIGTERM', 'SIGINT'], (signal) => {
      end(); // a second signal ends the process as signals do
      line('info', 'stopping', { signal });
      resolve();
    });
  });
}

/** A store that went back in time is said, and served: whether it may is for people to decide. */
export async function sayRegress(line: Line, check: () => Promise<{ problem: string | null }>, hint: string) {
  try {
    const { problem } = await check();
    if (problem !== null) line('error', 'the audit log is not the one that was seen before', { problem, hint });
  } catch {
    // the store does not answer, which every request is told
  }
}
