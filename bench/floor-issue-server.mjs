// The minimal server that does what `issue` does: verify an ID token, make a key, store it with the token that was spent, and answer. One
// transaction for each key, flushed to disk. Arguments: the database, the key set as JSON, the issuer.
import { createHmac, randomBytes } from 'node:crypto';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { createLocalJWKSet, jwtVerify } from 'jose';
import Database from './database.cjs';

const [file, keys, issuer] = process.argv.slice(2);
const db = new Database(file);
db.exec(`pragma journal_mode = wal; pragma synchronous = full;
  create table keys (id text primary key, scopes text, expires_at integer, hash text);
  create table spent (token text primary key, key_id text)`);
const insertKey = db.prepare('insert into keys values (?, ?, ?, ?)');
const insertSpent = db.prepare('insert into spent values (?, ?)');
const store = db.transaction((id, scopes, expires, hash, jti) => {
  insertKey.run(id, scopes, expires, hash);
  insertSpent.run(jti, id);
});
const find = createLocalJWKSet(JSON.parse(keys));
const pepper = randomBytes(32);

const server = http.createServer(async (call, reply) => {
  const answer = (status, body) =>
    reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  try {
    const { scopes } = JSON.parse(await text(call));
    const token = call.headers.authorization.slice(7);
    const { payload } = await jwtVerify(token, find, { issuer, audience: 'bench', algorithms: ['ES256'] });
    if (payload.repository_id !== '42') return answer(403, { code: 'not_allowed' });
    const [id, secret] = [randomBytes(6).toString('hex'), randomBytes(24).toString('base64url')];
    const expires = Date.now() + 3_600_000;
    store(id, JSON.stringify(scopes), expires, createHmac('sha256', pepper).update(secret).digest('hex'), payload.jti);
    answer(201, { id, key: `unlk_test_${id}_${secret}`, scopes, expiresAt: new Date(expires).toISOString() });
  } catch {
    answer(401, { code: 'token_invalid' });
  }
});
server.listen(0, '127.0.0.1', () =>
  process.stderr.write(`${JSON.stringify({ message: 'listening', address: `127.0.0.1:${server.address().port}` })}\n`),
);
