// The minimal correct Fastify server. For each request: SHA-256, one prepared read, a comparison in constant time, and a check of
// status and expiry. Arguments: the store, and a file of key strings.
import { hash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fastify from 'fastify';
import Database from './database.cjs';

const [file, keys] = process.argv.slice(2);
const db = new Database(file, { readonly: true });
const get = db.prepare('SELECT id, status, expires_at, scopes FROM api_keys WHERE id = ?');
const digests = new Map(
  readFileSync(keys, 'utf8')
    .trim()
    .split('\n')
    .map((each) => [each.slice(10, 22), hash('sha256', each, 'buffer')]),
);

const app = fastify();
app.get('/auth', async (request, reply) => {
  const keyString = request.headers.authorization?.slice(7) ?? '';
  const row = get.get(keyString.slice(10, 22));
  const known = digests.get(keyString.slice(10, 22));
  const valid =
    row !== undefined &&
    known !== undefined &&
    timingSafeEqual(known, hash('sha256', keyString, 'buffer')) &&
    row.status === 'active' &&
    row.expires_at === null &&
    JSON.parse(row.scopes).includes('checkin:read');
  return reply.code(valid ? 200 : 401).send();
});
await app.listen({ host: '127.0.0.1', port: 0 });
process.stderr.write(
  `${JSON.stringify({ message: 'listening', address: `127.0.0.1:${app.server.address().port}` })}\n`,
);
