import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { Served } from '../support/served.js';

const SHIPPED = readdirSync(path.join(ROOT, 'drizzle'))
  .filter((name) => name.endsWith('.sql'))
  .map((name) => name.replace(/\.sql$/, ''));

/** The migrations that the store went through, in order. */
function appliedTo(store: string): unknown[] {
  const database = new Database(store, { readonly: true });
  try {
    return database.prepare('select tag from schema_migrations order by version').pluck().all();
  } finally {
    database.close();
  }
}

/** A preload that notes each worker thread that answers a job. A thread that cannot start is replaced without a word. */
function noteWorkers(place: Place): { readonly node: string[]; answered(): number } {
  const log = place.write('workers', '');
  const note = `require('node:fs').appendFileSync(${JSON.stringify(log)}, 'x')`;
  const preload = place.write(
    'workers.cjs',
    `process.on('worker', (worker) => worker.once('message', () => ${note}));`,
  );
  return { node: ['-r', preload], answered: () => readFileSync(log, 'utf8').length };
}

test('the library in dist/ finds its migrations and its workers', async () => {
  const place = new Place();
  const workers = noteWorkers(place);
  const program = place.write(
    'program.mjs',
    `import { createVerifier, openKeyring } from '${pathToFileURL(path.join(ROOT, 'dist/index.js'))}';
    const keyring = await openKeyring({ store: '${place.store}' });
    const input = { mode: 'test', scopes: ['plan:read'] };
    const [{ keyString }] = await keyring.create(['a', 'b', 'c', 'd'].map((name) => ({ name, ...input })));
    await keyring.close();
    const verifier = await createVerifier({ store: '${place.store}', environment: 'test' });
    console.log((await verifier.verify(keyString)).verdict);
    await verifier.close();`,
  );
  const { stdout, stderr } = await place.run(process.execPath, [...workers.node, program]);
  expect({ stdout, stderr }).toEqual({ stdout: 'valid\n', stderr: '' });
  expect(appliedTo(place.store)).toEqual(SHIPPED);
  expect(workers.answered()).toBeGreaterThanOrEqual(2); // one of the pool, and the verifier's
});

test('the command line in dist/bundle/ finds its migrations and the workers of create', async () => {
  const place = new Place();
  const workers = noteWorkers(place);
  const names = ['a', 'b', 'c', 'd'];
  const args = ['create', ...names, '--test-mode', '--scope', 'plan:read', '-o', 'json'];
  const { exitCode, stderr } = await place.tool(args, { node: workers.node });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(appliedTo(place.store)).toEqual(SHIPPED);
  expect(workers.answered()).toBeGreaterThanOrEqual(1);
});

test('the command line in dist/bundle/ finds the worker of serve', async () => {
  const place = new Place();
  const keyString = await place.key('kiosk');
  const workers = noteWorkers(place);
  const served = new Served(place, ['--listen', '127.0.0.1:0', '--environment', 'test'], {
    NODE_OPTIONS: workers.node.join(' '),
  });
  const reply = await fetch(`${await served.url()}/auth`, { headers: { authorization: `Bearer ${keyString}` } });
  expect(reply.status).toBe(200);
  expect(workers.answered()).toBe(1);
});
