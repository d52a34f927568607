import { describe, expect, onTestFinished, test } from 'vitest';
import { parseStoreUrl } from '../../src/store/remote/address.js';
import { Transport } from '../../src/store/remote/transport.js';
import { type FaultyProxy, faultyProxy } from '../support/faulty-proxy.js';
import { startSqld, TOKENS } from '../support/sqld.js';

/** More at once than there are connections: most wait for one to become free. */
const MANY = 40;

const QUESTION = JSON.stringify({ requests: [{ type: 'execute', stmt: { sql: 'select 1' } }, { type: 'close' }] });

async function scene(timeoutMs = 5000): Promise<{ proxy: FaultyProxy; transport: Transport; warnings: Error[] }> {
  const proxy = await faultyProxy((await startSqld()).url);
  const transport = new Transport(parseStoreUrl(proxy.url, { allowHttp: false }), timeoutMs);
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  onTestFinished(async () => {
    process.off('warning', listen);
    await transport.close();
  });
  return { proxy, transport, warnings };
}

const faults = async (asked: Promise<unknown>[]) =>
  (await Promise.allSettled(asked)).map((end) => (end.status === 'rejected' ? end.reason.fault : end.status));

describe('many requests at once', () => {
  test('share a few connections, which are kept, and leave nothing behind on them', async () => {
    const { proxy, transport, warnings } = await scene();
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: MANY }, () => transport.post(QUESTION, TOKENS.full)));
      expect(answers.map(({ status }) => status)).toEqual(Array(MANY).fill(200));
    }
    expect(proxy.connections).toBeLessThanOrEqual(8);
    expect(warnings).toEqual([]);
  });

  test('whose replies are lost may all have been carried out, those that waited for a connection too', async () => {
    const { proxy, transport } = await scene();
    await Promise.all(Array.from({ length: MANY }, () => transport.post(QUESTION, TOKENS.full)));
    for (let nth = 1; nth <= MANY; nth += 2) proxy.at(nth, 'cut-before-reply');
    const ends = await faults(Array.from({ length: MANY }, () => transport.post(QUESTION, TOKENS.full)));
    expect(ends.filter((end) => end === 'unreachable')).toEqual([]);
    expect(ends.filter((end) => end === 'broken').length).toBeGreaterThan(0);
  });

  test('that hear nothing in time are silent where a connection stood', async () => {
    const { proxy, transport } = await scene(300);
    await transport.post(QUESTION, TOKENS.full);
    proxy.always('swallow');
    expect(await faults([transport.post(QUESTION, TOKENS.full)])).toEqual(['silent']);
  });

  test('to where nobody listens were heard by nobody', async () => {
    const { proxy, transport } = await scene();
    await proxy.refuse();
    expect(await faults(Array.from({ length: 3 }, () => transport.post(QUESTION, TOKENS.full)))).toEqual(
      Array(3).fill('unreachable'),
    );
  });
});
