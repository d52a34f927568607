import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Transport } from '../../src/http/transport.js';
import type { Statement } from '../../src/store/database.js';
import { parseStoreUrl } from '../../src/store/remote/address.js';
import { answerBytes, chained } from '../../src/store/remote/hrana.js';
import { allScopes, credentialById, credentialsAfter, insertAudit } from '../../src/store/statements.js';
import { type FaultyProxy, faultyProxy } from '../support/faulty-proxy.js';
import { startSqld, TOKENS } from '../support/sqld.js';

/** More at once than there are connections: most wait for one to become free. */
const MANY = 40;

const MEBIBYTE = 1_048_576;
const QUESTION = JSON.stringify({ requests: [{ type: 'execute', stmt: { sql: 'select 1' } }, { type: 'close' }] });
const ASKED = { method: 'POST', path: '/v2/pipeline', body: QUESTION, token: TOKENS.full } as const;

async function scene(timeoutMs = 5000): Promise<{ proxy: FaultyProxy; transport: Transport; warnings: Error[] }> {
  const proxy = await faultyProxy((await startSqld()).url);
  const transport = new Transport(parseStoreUrl(proxy.url, { allowHttp: false }), timeoutMs);
  const warnings: Error[] = [];
  const listen = (warning: Error) => {
    // Those of other tests in this process are not about connections, and some are about the process itself.
    if (warning.name === 'MaxListenersExceededWarning' && !warning.message.includes('[process]'))
      warnings.push(warning);
  };
  process.on('warning', listen);
  onTestFinished(async () => {
    process.off('warning', listen);
    await transport.close();
  });
  return { proxy, transport, warnings };
}

const faults = async (asked: Promise<unknown>[]) =>
  (await Promise.allSettled(asked)).map((end) => (end.status === 'rejected' ? end.reason.fault : end.status));

test('a program is told that its request has been sent, before the answer', async () => {
  let isSent = () => {};
  const sent = new Promise<void>((resolve) => {
    isSent = resolve;
  });
  const server = createServer(async (request, reply) => {
    for await (const _ of request);
    await sent;
    reply.end('answer');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const transport = new Transport({ secure: false, host: '127.0.0.1', port }, 30_000);
  const { text } = await transport.send({ method: 'POST', path: '/', body: 'question', sent: isSent }, 100);
  expect(text).toBe('answer');
  await transport.close();
});

describe('many requests at once', () => {
  test('share a few connections, which are kept, and leave nothing behind on them', async () => {
    const { proxy, transport, warnings } = await scene();
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: MANY }, () => transport.send(ASKED, 65_536)));
      expect(answers.map(({ status }) => status)).toEqual(Array(MANY).fill(200));
    }
    expect(proxy.connections).toBeLessThanOrEqual(8);
    expect(warnings).toEqual([]);
  });

  test('whose replies are lost may all have been carried out, those that waited for a connection too', async () => {
    const { proxy, transport } = await scene();
    await Promise.all(Array.from({ length: MANY }, () => transport.send(ASKED, 65_536)));
    for (let nth = 1; nth <= MANY; nth += 2) proxy.at(nth, 'cut-before-reply');
    const ends = await faults(Array.from({ length: MANY }, () => transport.send(ASKED, 65_536)));
    expect(ends.filter((end) => end === 'unreachable')).toEqual([]);
    expect(ends.filter((end) => end === 'broken').length).toBeGreaterThan(0);
  });

  test('that hear nothing in time are silent where a connection stood', async () => {
    const { proxy, transport } = await scene(300);
    while ((await faults([transport.send(ASKED, 65_536)]))[0] !== 'fulfilled'); // a busy machine may take longer
    proxy.always('swallow');
    expect(await faults([transport.send(ASKED, 65_536)])).toEqual(['silent']);
  });

  test('to where nobody listens were heard by nobody', async () => {
    const { proxy, transport } = await scene();
    await proxy.refuse();
    expect(await faults(Array.from({ length: 3 }, () => transport.send(ASKED, 65_536)))).toEqual(
      Array(3).fill('unreachable'),
    );
  });
});

test('an answer larger than the question is not read to its end', async () => {
  let sent = 0;
  const server = createServer((request, reply) => {
    request.resume();
    const more = () => {
      while (sent < 31 * MEBIBYTE) {
        sent += MEBIBYTE;
        if (!reply.write(Buffer.alloc(MEBIBYTE, ' '))) return void reply.once('drain', more);
      }
      reply.end();
    };
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const transport = new Transport(parseStoreUrl(`http://127.0.0.1:${port}`, { allowHttp: false }), 5000);
  onTestFinished(() => transport.close());
  const limit = answerBytes(chained([credentialById({ id: '7k2m9xw4q8rs' })]));
  expect(limit).toBeLessThan(MEBIBYTE);
  expect(await faults([transport.send({ ...ASKED, token: undefined }, limit)])).toEqual(['garbled']);
  expect(sent).toBeLessThan(20 * MEBIBYTE); // what the sockets hold
});

test.each<[string, Statement[], number]>([
  ['one key', [credentialById({ id: 'a' })], 1],
  ['a page', [credentialsAfter({ seq: 0, limit: 50 })], 50],
  ['a write', [insertAudit({ seq: 1, op: 'o', body: '{}', prev: '', hash: '' })], 0],
  ['any number', [allScopes({})], 1000],
])('the answer to a question for %s has room for its rows, and for not many more', (_, statements, rows) => {
  const bytes = answerBytes(chained(statements));
  expect(bytes).toBeGreaterThanOrEqual(Math.min(rows * 100_000, 32 * MEBIBYTE));
  expect(bytes).toBeLessThanOrEqual(Math.min(rows * 300_000 + MEBIBYTE, 32 * MEBIBYTE));
});
