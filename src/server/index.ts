/** The parts of `serve`. Only that command loads them. */

export { Log } from '../http-server/log.js';
export type { RateLimiter } from '../verifier/memory-limiter.js';
export { readClientAddress } from './client-address.js';
export { connectRedis, type RedisAddress, readRedisAddress } from './redis-limits.js';
export { parseRules } from './rules.js';
export { AuthServer } from './server.js';
