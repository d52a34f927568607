// Answers as a server that issues keys, without looking at anything: what is measured is whoever asks. Prints its URL.
import { createServer } from 'node:http';
import { mintKeyString } from '../dist/domain/key-parts.js';

const { id, keyString: key } = mintKeyString('test');
const server = createServer((call, reply) => {
  call.resume();
  if (call.method === 'DELETE') return reply.writeHead(204).end();
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const issued = { id, name: 'ci bench', key, mode: 'test', scopes: ['checkin:read'], expiresAt };
  reply.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(issued));
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
