import { readFileSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import type { Mode } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import { collect, examples, type Register } from '../command.js';
import { oneOf } from '../flags.js';
import type { Session } from '../session.js';

interface ServeFlags {
  readonly listen: string;
  readonly environment?: string;
  readonly require?: string;
  readonly scope?: string[];
  readonly limits: string;
  readonly maxStale: string;
  readonly marks: boolean;
  readonly pepperedOnly?: boolean;
  readonly log: string;
}

const LIMITS = ['memory', 'shared', 'off'] as const;
const LOGGED = ['all', 'refused', 'none'] as const;
const MAX_RULES_BYTES = 1_048_576;

export const registerServe: Register = (program, run) => {
  program
    .command('serve')
    .summary('an HTTP endpoint that checks keys, for proxies and any language')
    .description(
      'Check keys over HTTP until SIGTERM or Ctrl-C. /auth answers a proxy about the request that it forwards (Caddy, Traefik), /auth/nginx does for auth_request; POST /verify takes {"key", "scopes"}; /healthz and /metrics (Prometheus) are for those who watch. No request makes or changes a key. Put TLS in front: key strings travel in clear.',
    )
    .option('--listen <address>', 'HOST:PORT (0: any that is free), or unix:PATH', '127.0.0.1:8787')
    .option('--environment <mode>', 'live or test: keys of the other mode are refused (required)')
    .option('--require <file>', 'rules that map method and path to scopes; what no rule names is refused')
    .option('--scope <scope>', 'without rules: what every request needs; repeat for more', collect)
    .option('--limits <how>', `how rate limits are counted: ${LIMITS.join(', ')}`, 'memory')
    .option('--max-stale <time>', 'how old an answer of a remote store may be, up to 60s', '0')
    .option('--no-marks', 'do not write down when keys were last used')
    .option('--peppered-only', 'refuse keys that are not hashed with a pepper')
    .option('--log <which>', `which requests to log: ${LOGGED.join(', ')}`, 'refused')
    .addHelpText(
      'after',
      `
Rules are a list, YAML or JSON; the first that fits decides. * is one segment of a path, ** at its end all below:
  - { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }
  - { path: /status, scopes: [] }             # every method, any valid key

SIGHUP reads the rules again.
${examples(
  'serve --environment live --require rules.yaml',
  'serve --environment test --listen 127.0.0.1:8787 --scope checkin:read',
  'serve --environment live --listen unix:/run/unlockos/keys.sock --require rules.yaml -p prod',
)}`,
    )
    .action(run(serve));
};

async function serve(session: Session, flags: ServeFlags): Promise<void> {
  const environment = readEnvironment(flags.environment);
  const where = readListen(flags.listen);
  if ('host' in where && !isLoopback(where.host) && session.flags.allowHttp !== true)
    throw new KeysError(
      'guarded',
      `${where.host} can be reached from other machines, and key strings would travel in clear`,
      'listen on 127.0.0.1 behind a proxy with TLS; or pass --allow-http where the network is your own',
    );
  const rateLimit = oneOf('--limits', flags.limits, LIMITS);
  const logged = oneOf('--log', flags.log, LOGGED);
  const maxStaleMs = readMaxStale(flags.maxStale);
  if (flags.require !== undefined && flags.scope !== undefined)
    throw new KeysError('usage', '--require and --scope do not go together', 'name the scopes in the rules');
  const { AuthServer, Log, parseRules } = await import('../../server/index.js');
  const file = flags.require === undefined ? null : path.resolve(session.ctx.cwd, flags.require);
  const read = () =>
    file === null
      ? ({ by: 'scopes', scopes: flags.scope?.flatMap((each) => each.split(',')) ?? [] } as const)
      : ({ by: 'rules', rules: parseRules(readRules(file), file) } as const);
  const requirements = read();
  const keyring = await session.keyring({ durable: false });
  await assertScopesExist(keyring, requirements);
  const verifier = await keyring.verifier({
    environment,
    rateLimit,
    maxStaleMs,
    markUsed: flags.marks,
    pepperedOnly: flags.pepperedOnly === true,
  });
  const { ctx } = session;
  const log = new Log((text) => ctx.log(text), ctx.now);
  const ping = async () => {
    await keyring.auditHead();
  };
  const server = new AuthServer({ verifier, requirements, log, logged, ping });
  const address = await server.listen(where);
  if (requirements.by === 'scopes' && requirements.scopes.length === 0)
    log.line('warn', 'no rules and no scopes: any valid key of this environment is let in');
  log.line('info', 'listening', { address, environment, store: session.store.value, rules: file ?? undefined });
  await new Promise<void>((resolve) => {
    const readAgain = async () => {
      try {
        const next = read();
        await assertScopesExist(keyring, next);
        server.require(next);
        log.line('info', 'rules were read again');
      } catch (error) {
        log.line('error', 'the rules stay as they were', { error: messageOf(error) });
      }
    };
    let reading = Promise.resolve();
    ctx.onSignals(['SIGHUP'], () => {
      reading = reading.then(readAgain); // one after the other: what was read last is in force
    });
    const end = ctx.onSignals(['SIGTERM', 'SIGINT'], (signal) => {
      end(); // a second signal ends the process as signals do
      log.line('info', 'stopping', { signal });
      resolve();
    });
  });
  await server.stop();
  log.line('info', 'stopped');
  await log.flush();
}

function messageOf(error: unknown): string {
  return error instanceof KeysError ? error.message : 'unknown error';
}

function readEnvironment(text: string | undefined): Mode {
  if (text === 'live' || text === 'test') return text;
  throw new KeysError(
    text === undefined ? 'missing_input' : 'usage',
    text === undefined ? 'which environment is this?' : `--environment ${quoted(text)} is unknown`,
    '--environment live, or --environment test',
  );
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000 } as const;

/** Milliseconds. Throws `usage` for what is no time; the verifier does for one that is too long. */
function readMaxStale(text: string): number {
  const match = /^(\d{1,6})(ms|s|m)$/.exec(text === '0' ? '0s' : text);
  if (!match)
    throw new KeysError(
      'usage',
      `--max-stale ${quoted(text)} is not a time`,
      'a whole number and a unit, up to 60s: 500ms, 5s; 0 asks the store about every request',
    );
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

/** Throws `usage` for what is no address. */
function readListen(text: string): { host: string; port: number } | { path: string } {
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

/** Names are not trusted to mean this machine, but for the one that does everywhere. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function readRules(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new KeysError(
      'usage',
      `cannot read the rules ${quoted(file)} (${(error as NodeJS.ErrnoException).code})`,
      '--require FILE',
    );
  }
  if (text.length > MAX_RULES_BYTES)
    throw new KeysError('usage', `${quoted(file)} is too large for rules`, 'up to 1 MiB');
  return text;
}

/** A scope that is mistyped would refuse every request that needs it. */
async function assertScopesExist(
  keyring: Keyring,
  requirements:
    | { by: 'scopes'; scopes: readonly string[] }
    | { by: 'rules'; rules: readonly { scopes: readonly string[] }[] },
): Promise<void> {
  const wanted =
    requirements.by === 'scopes' ? requirements.scopes : requirements.rules.flatMap(({ scopes }) => scopes);
  const known = new Set((await keyring.scopes()).map(({ scope }) => scope));
  const unknown = [...new Set(wanted)].filter((scope) => !known.has(scope));
  if (unknown.length > 0)
    throw new KeysError(
      'usage',
      `the catalogue has no scope ${unknown.map(quoted).join(', ')}, so no key could ever hold it`,
      'unlockos-keys scopes list shows what there is',
    );
}
