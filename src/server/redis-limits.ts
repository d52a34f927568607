import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';
import type { Log } from '../http-server/log.js';
import type { RateLimiter } from '../verifier/memory-limiter.js';

/** Rate limits that all servers share, counted in Redis or Valkey. */
export interface RedisLimits {
  readonly limiter: RateLimiter;
  close(): void;
}

/** Where Redis is. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username: string | undefined;
  readonly tls: boolean;
}

const FORM =
  'redis://HOST:PORT, or rediss://HOST:PORT with TLS; the password is read from UNLOCKOS_KEYS_REDIS_PASSWORD';

/**
 * Reads `redis://[USER@]HOST[:PORT][/DB]`. Throws `usage`, without repeating a password, which does not belong into an argument, and `guarded`
 * for another machine without TLS, unless `allowPlain`.
 */
export function readRedisAddress(text: string, allowPlain: boolean): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const db = /^\/?(\d{0,5})$/.exec(url?.pathname ?? '')?.[1];
  if (url?.password)
    throw new KeysError('usage', 'the address of --limits contains a password, which other users can see', FORM);
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '' || db === undefined || url.search || url.hash) {
    const [shown = ''] = (text.split('@').at(-1) ?? '').split(/[?#]/); // a password may stand before, or behind
    throw new KeysError('usage', `--limits ${quoted(shown)} is not the address of Redis`, FORM);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isLocal = host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
  if (url.protocol === 'redis:' && !isLocal && !allowPlain)
    throw new KeysError(
      'guarded',
      `Redis at ${quoted(host)} would be used without TLS`,
      'use rediss://, or pass --allow-http in a network that you trust',
    );
  return {
    host,
    port: Number(url.port || 6379),
    db: Number(db),
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    tls: url.protocol === 'rediss:',
  };
}

/** Why Redis does not answer, in one word: a message of Redis can repeat what it was sent. */
function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code ?? /^[A-Z]{2,}\b/.exec(error.message)?.[0] ?? 'closed';
}

/** What Redis refuses, and will refuse again: to be mended before it can count. */
function refusalOf({ message }: Error, { db }: RedisAddress): KeysError | null {
  if (/^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/.test(message))
    return new KeysError('unauthorized', 'Redis refused the user or the password', FORM);
  if (/^ERR (DB index is out of range|invalid DB index|SELECT is not allowed)/.test(message))
    return new KeysError('usage', `Redis has no database ${db}`, 'leave /DB out of --limits, or name another');
  return null;
}

/**
 * Connects to Redis. While Redis is down, requests are counted in memory, and the log says so once per outage, and why. Throws `usage` where
 * Redis has no such database, and `unauthorized` when it refuses the password.
 */
export async function connectRedis(
  address: RedisAddress,
  password: string | undefined,
  log: Log,
): Promise<RedisLimits> {
  const [{ default: ioredis }, { redisLimiter }] = await Promise.all([
    import('ioredis'),
    import('../verifier/redis-limiter.js'),
  ]);
  const { host, port, db, username, tls } = address;
  const client = new ioredis.Redis({
    host,
    port,
    db,
    enableOfflineQueue: false,
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 2000,
    retryStrategy: (times) => Math.min(times * 100, 2000),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
  });
  let refusal: KeysError | null = null;
  let down = false;
  let starting = true;
  client.on('error', (error: Error) => {
    refusal = refusalOf(error, address);
    if (starting && refusal !== null) return;
    const message = 'Redis does not answer: limits are counted in memory until it does';
    if (!down) log.line('warn', message, { reason: reasonOf(error) });
    down = true;
  });
  client.on('ready', () => {
    if (down) log.line('info', 'Redis answers again: limits are shared');
    down = false;
  });
  await client.connect().catch(() => {}); // reported by the listener; it goes on trying
  starting = false;
  if (refusal !== null) {
    client.disconnect();
    throw refusal;
  }
  return { limiter: redisLimiter(client), close: () => client.disconnect() };
}
