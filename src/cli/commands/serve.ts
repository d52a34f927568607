import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import type { Mode } from '../../domain/key-string.js';
import { quoted, safeText } from '../../domain/text.js';
import type { Log, RateLimiter, RedisAddress } from '../../server/index.js';
import { collect, examples, type Register } from '../command.js';
import type { Session } from '../session.js';
import { oneOf } from '../settings/global-flags.js';
import { LOGGED, listenAddress, rulesFile, sayRegress, untilTold } from '../settings/listening.js';
import { checkSeenHead, TO_ACCEPT } from '../settings/seen-head.js';
import { assertScopesExist } from '../targets/known-scopes.js';

interface ServeFlags {
  readonly listen: string;
  readonly environment?: string;
  readonly require?: string;
  readonly scope?: string[];
  readonly limits: string;
  readonly maxStale: string;
  readonly marks: boolean;
  readonly clientAddress?: string;
  readonly pepperedOnly?: boolean;
  readonly log: string;
}

const LIMITS = ['memory', 'shared', 'off'] as const;

export const registerServe: Register = (program, run) => {
  program
    .command('serve')
    .summary('an HTTP endpoint that checks keys, for proxies and any language')
    .description(
      'Check keys over HTTP until SIGTERM or Ctrl-C. Put TLS in front: key strings are sent in clear text. /auth is for Caddy and Traefik, /auth/nginx for auth_request, /auth/envoy/ for ext_authz; POST /verify takes {"key", "scopes", "method", "path", "address"}; /healthz and /metrics are for monitoring. No request changes a key.',
    )
    .option('--listen <address>', 'HOST:PORT (port 0: any free port), or unix:PATH', '127.0.0.1:8787')
    .option('--environment <mode>', 'live or test: keys of the other are refused (required)')
    .option('--require <file>', 'a file of rules: which request needs which scopes')
    .option('--scope <scope>', 'without rules: a scope that every request needs', collect)
    .option('--client-address <where>', 'x-forwarded-for:N, from the right; for keys with addresses')
    .option('--limits <how>', `count them in ${LIMITS.join(', ')}, redis://HOST:PORT`, 'memory')
    .option('--max-stale <time>', 'cache answers of a remote store: 0 to 60s', '0')
    .option('--no-marks', 'do not record use: for a store that may only be read')
    .option('--peppered-only', 'refuse keys that are not hashed with a pepper')
    .option('--log <which>', `which requests to log: ${LOGGED.join(', ')}`, 'refused')
    .addHelpText(
      'after',
      `
Rules are a YAML or JSON list. The first match decides; no match means 403. In a
path, * matches one segment, and ** at the end all that is below. Letter case, a
trailing slash or a suffix cannot bypass a rule. SIGHUP reloads the rules.
  - { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }
  - { path: /status, scopes: [] }             # every method, any valid key
${examples(
  'serve --environment live --require rules.yaml',
  'serve --environment test --scope checkin:read',
  'serve --environment live --listen unix:/run/keys.sock',
)}`,
    )
    .action(run(serve));
};

async function serve(session: Session, flags: ServeFlags): Promise<void> {
  const environment = readEnvironment(flags.environment);
  const where = listenAddress(flags.listen, session.flags.allowHttp === true);
  const counted = /^rediss?:/i.test(flags.limits) ? null : oneOf('--limits', flags.limits, LIMITS);
  const logged = oneOf('--log', flags.log, LOGGED);
  const maxStaleMs = readMaxStale(flags.maxStale);
  if (flags.require !== undefined && flags.scope !== undefined)
    throw new KeysError('usage', '--require and --scope do not go together', 'put the scopes into the rules');
  const { AuthServer, Log, parseRules, readClientAddress, readRedisAddress } = await import('../../server/index.js');
  const { clientAddress } = flags;
  const hops = clientAddress === undefined ? undefined : readClientAddress(clientAddress);
  const redis = counted === null ? readRedisAddress(flags.limits, session.flags.allowHttp === true) : null;
  const file = flags.require === undefined ? null : path.resolve(session.ctx.cwd, flags.require);
  const text = file === null ? null : rulesFile(file, '--require');
  const read = () =>
    file === null || text === null
      ? ({ by: 'scopes', scopes: flags.scope?.flatMap((each) => each.split(',')) ?? [] } as const)
      : ({ by: 'rules', rules: parseRules(text(), file) } as const);
  const requirements = read();
  const keyring = await session.keyring({ durable: false, follow: true });
  await assertScopesExist(keyring, scopesOf(requirements));
  const { ctx } = session;
  const log = new Log((text) => ctx.log(text), ctx.now);
  const rateLimit = redis === null ? (counted ?? 'memory') : await limitsIn(redis, session, log);
  const verifier = await keyring.verifier({
    environment,
    rateLimit,
    maxStaleMs,
    markUsed: flags.marks,
    onWarning: ({ code, message }) => log.line('warn', 'use is not recorded', { code, error: safeText(message) }),
    pepperedOnly: flags.pepperedOnly === true,
  });
  const ping = async () => {
    await keyring.scopes();
  };
  const census = () => keyring.census();
  const server = new AuthServer({ verifier, requirements, log, logged, hops, ping, census });
  const line = log.line.bind(log);
  await sayRegress(line, () => checkSeenHead(ctx, keyring), TO_ACCEPT); // before it listens: a signal after that must find its handler
  const address = await server.listen(where);
  if (requirements.by === 'scopes' && requirements.scopes.length === 0)
    log.line('warn', 'no rules and no scopes: every valid key of this environment is accepted');
  const store = session.store.value;
  log.line('info', 'listening', { address, environment, store, rules: file ?? undefined, clientAddress });
  await untilTold(ctx, line, async () => {
    const next = read();
    await assertScopesExist(keyring, scopesOf(next));
    server.require(next);
  });
  await server.stop();
  log.line('info', 'stopped');
  await log.flush();
}

/** Limits in Redis, until the session ends. */
async function limitsIn(address: RedisAddress, session: Session, log: Log): Promise<RateLimiter> {
  const { connectRedis } = await import('../../server/index.js');
  const { limiter, close } = await connectRedis(address, session.ctx.redisPassword, log);
  session.atEnd(close);
  return limiter;
}

function readEnvironment(text: string | undefined): Mode {
  if (text === 'live' || text === 'test') return text;
  throw new KeysError(
    text === undefined ? 'missing_input' : 'usage',
    text === undefined ? 'missing: --environment' : `--environment ${quoted(text)} is unknown`,
    'pass --environment live or --environment test',
  );
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000 } as const;

/** Milliseconds. Throws `usage` for an invalid time; the verifier throws it for one that is too long. */
function readMaxStale(text: string): number {
  const match = /^(\d{1,6})(ms|s|m)$/.exec(text === '0' ? '0s' : text);
  if (!match)
    throw new KeysError(
      'usage',
      `--max-stale ${quoted(text)} is not a time`,
      'pass a whole number and a unit, up to 60s: 500ms, 5s; 0 asks the store for every request',
    );
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

type Requirements =
  | { by: 'scopes'; scopes: readonly string[] }
  | { by: 'rules'; rules: readonly { scopes: readonly string[] }[] };

function scopesOf(requirements: Requirements): readonly string[] {
  return requirements.by === 'scopes' ? requirements.scopes : requirements.rules.flatMap(({ scopes }) => scopes);
}
