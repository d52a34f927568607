import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context, Output } from '../../src/cli/context.js';
import type { main } from '../../src/cli/main.js';

const BUNDLE = fileURLToPath(new URL('../../dist/bundle', import.meta.url));

interface Built {
  readonly main: typeof main;
  readonly systemContext: () => Context;
}

/** The built tool, loaded as `bin/unlockos-keys.js` loads it. */
function load(): Built {
  const { load: read } = createRequire(import.meta.url)(path.join(BUNDLE, 'loader.cjs'));
  return read('cli.cjs');
}

/** Runs the tool with the umask that it sets, and gives this process its own back. */
async function withItsUmask<T>(run: () => Promise<T>): Promise<T> {
  const before = process.umask(0o077);
  try {
    return await run();
  } finally {
    process.umask(before);
  }
}

/**
 * Runs the built tool in this process: 10 ms instead of the 150 ms of CPU that a process takes. It is for what a test prepares, for what it
 * looks at afterwards, and for commands that no property of a process can change: a test of a process's streams, signals or end starts one.
 * Secrets are hashed at the lowest cost.
 */
export function runHere(
  args: readonly string[],
  { env, cwd, input = '' }: { env: Record<string, string>; cwd: string; input?: string },
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const { UNLOCKOS_KEYS_AUTH_TOKEN, UNLOCKOS_KEYS_PEPPERS, ...rest } = env;
  const said = { stdout: '', stderr: '' };
  const output = (stream: 'stdout' | 'stderr'): Output => ({
    isTTY: false,
    isNull: false,
    columns: () => undefined,
    write: (text) => {
      said[stream] += text;
    },
  });
  return withItsUmask(async () => {
    const { main: run, systemContext } = load();
    const exitCode = await run([...args], {
      ...systemContext(),
      env: rest,
      authToken: UNLOCKOS_KEYS_AUTH_TOKEN || undefined,
      peppers: UNLOCKOS_KEYS_PEPPERS || undefined,
      cwd,
      home: rest.HOME ?? cwd,
      ci: null,
      hashCost: 4,
      stdin: { isTTY: false, readAll: () => Buffer.from(input), pieces: () => [Buffer.from(input)] },
      stdout: output('stdout'),
      stderr: output('stderr'),
    });
    return { exitCode, ...said };
  });
}
