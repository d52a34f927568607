import { expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { freshKeyring, make, receiver } from '../support/keyrings.js';
import { DEFAULT_ENGINE, ENGINES, type EngineName, keyringOver, options, rawDatabase } from '../support/stores.js';
import { TestCli } from '../support/test-cli.js';
import { unguarded } from '../support/unguarded.js';

// Values that this version never writes, as an earlier version, another program or a failing disk may have left them.
const DAMAGE: readonly (readonly [set: string, field: keyof ApiKey])[] = [
  ["name = x'00ff'", 'name'],
  ["description = x'00ff'", 'description'],
  ["name = cast(x'62ff41' as text)", 'name'],
  ["description = cast(x'ff41' as text)", 'description'],
  ["labels = cast(x'7b2261223a22ff227d' as text)", 'labels'],
  ["mode = 'prod'", 'mode'],
  ["scopes = '[7]'", 'scopes'],
  ["scopes = 'no json'", 'scopes'],
  ['scopes = cast(scopes as blob)', 'scopes'],
  ["status = 'paused'", 'status'],
  ['rate_limit = 333.33', 'rateLimit'],
  ['rate_limit = 9223372036854775807', 'rateLimit'],
  ["rate_window_seconds = 'minute'", 'rateLimit'],
  ['expires_at = 8640000000000001', 'expiresAt'],
  ['expires_at = 9e999', 'expiresAt'],
  ["expires_at = 'never'", 'expiresAt'],
  ['created_at = -9223372036854775808', 'createdAt'],
  ["updated_at = 'today'", 'updatedAt'],
  ["labels = '[]'", 'labels'],
  ["rotated_to = 'other'", 'rotatedTo'],
];

/** What the tables' own constraints refuse on a server, where nobody can turn them off. */
const NOT_ON_A_SERVER = ["mode = 'prod'", "scopes = 'no json'", "status = 'paused'"];

async function damagedKeyring(
  engine: EngineName,
  set: string,
): Promise<{ keyring: Keyring; id: string; keyString: string }> {
  const keyring = await freshKeyring(engine);
  await make(keyring, 'before');
  const { key, keyString } = await make(keyring, 'bad', { mode: 'live', labels: { team: 'gym' } });
  await make(keyring, 'after');
  const db = await rawDatabase(keyring.location, engine);
  await unguarded(db, engine, `update api_keys set ${set} where id = '${key.id}'`);
  return { keyring, id: key.id, keyString };
}

const names = async (keyring: Keyring, query: Parameters<Keyring['list']>[0] = {}) =>
  (await keyring.list({ sort: 'created', ...query })).keys.map(({ name }) => name);

for (const engine of ENGINES) {
  test.each(
    DAMAGE.filter(([set]) => engine !== 'sqld' || !NOT_ON_A_SERVER.includes(set)),
  )(`${engine}: with %s, only that key suffers`, async (set, field) => {
    const { keyring, id, keyString } = await damagedKeyring(engine, set);
    const listed = field === 'name' ? '(unreadable)' : 'bad';
    expect(await names(keyring)).toEqual(['before', listed, 'after']);
    for (const sort of ['name', 'last-used', 'expires'] as const) {
      const seen: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const { keys, next } = await keyring.list({ sort, limit: 1, cursor });
        seen.push(...keys.map((key) => key.name));
        if (next === null) break;
        cursor = next;
      }
      expect(seen.sort(), sort).toEqual([listed, 'after', 'before'].sort());
    }
    const found = await keyring.show(id);
    expect([found.id, found.damaged]).toEqual([id, [field]]);

    const verdict = await keyring.verify(keyString);
    const verifier = await keyring.verifier({ environment: 'live' });
    expect(verdict.verdict).toBe(field === 'description' ? 'valid' : 'invalid');
    expect((await verifier.verify(keyString)).verdict).toBe(verdict.verdict);
    const other = await make(keyring, 'works', { mode: 'live' });
    expect((await verifier.verify(other.keyString)).verdict).toBe('valid');

    const { problems } = await keyring.auditVerify();
    expect(problems.join()).toContain(field === 'updatedAt' ? id : `key ${id} is damaged: its ${field} cannot be read`);
    expect(await keyring.storeCheck()).toContainEqual(
      expect.objectContaining({ check: 'keys', status: 'failed', detail: expect.stringContaining(`${id} (${field})`) }),
    );
    const target = await receiver(engine);
    await expect(keyring.storeCopy(target)).rejects.toMatchObject({ message: expect.stringContaining(id) });
    await expect(keyring.rotate(id, { overlapMs: 0 })).rejects.toMatchObject({ code: 'conflict' });
    expect(
      (await keyring.prunable({ expired: true, unusedSince: new Date('2030-01-01') })).map((key) => key.id),
    ).not.toContain(id);

    expect((await keyring.disable(id)).changed).toBe(true);
    if (!['status', 'updatedAt'].includes(field))
      await expect(keyring.enable(id)).rejects.toMatchObject({ code: 'conflict' });
    const db = await rawDatabase(keyring.location, engine);
    const column = set.split(' = ')[0] as string;
    if (!['status', 'updated_at'].includes(column)) {
      const [left] = await db.rows(`select 1 from api_keys where id = '${id}' and ${set.replace(' = ', ' is ')}`);
      expect(left, 'the damaged value stays').toBeDefined();
    }
    expect((await keyring.delete(id)).id).toBe(id);
    expect(await names(keyring)).toEqual(['before', 'after', 'works']);
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test(`${engine}: a damaged field is mended by a new value`, async () => {
    const { keyring, id } = await damagedKeyring(engine, 'rate_limit = 333.33');
    const { key } = await keyring.edit(id, { rateLimit: '600/m' });
    expect(key).toMatchObject({ name: 'bad', rateLimit: { limit: 600, windowSeconds: 60 } });
    expect(key.damaged).toBeUndefined();
    expect((await keyring.show(id)).damaged).toBeUndefined();
    expect((await keyring.auditVerify()).problems).toEqual([]);
  });

  test(`${engine}: a hash that is no text proves nothing`, async () => {
    const { keyring, id, keyString } = await damagedKeyring(engine, "hash = x'00'");
    expect((await keyring.verify(keyString)).verdict).toBe('invalid');
    expect(await names(keyring)).toEqual(['before', 'bad', 'after']);
    expect((await keyring.auditVerify()).problems.join()).toContain(id);
    expect((await keyring.delete(id)).id).toBe(id);
  });

  test(`${engine}: a last-used time that cannot be read stops no key`, async () => {
    const keyring = await freshKeyring(engine);
    const { key, keyString } = await make(keyring, 'a');
    await unguarded(await rawDatabase(keyring.location, engine), engine, 'update key_usage set last_used_at = 9e18');
    expect((await keyring.show('a')).damaged).toEqual(['lastUsedAt']);
    const verifier = await keyring.verifier({ environment: 'test' });
    expect((await verifier.verify(keyString)).verdict).toBe('valid');
    await verifier.close();
    const again = keyringOver(await openStore(keyring.location, options(engine, { create: false })));
    expect((await again.show(key.id)).lastUsedAt).not.toBeNull(); // the next mark has mended it
    expect((await again.show(key.id)).damaged).toBeUndefined();
    await again.close();
  });
}

test('the command line shows a damaged key, and disables and deletes it', async () => {
  const cli = new TestCli();
  await cli.run('create', 'good', '--test-mode', '-s', 'checkin:read', '-o', 'value');
  const { stdout } = await cli.run('create', 'bad', '--test-mode', '-s', 'checkin:read', '-o', 'json');
  const { id } = JSON.parse(stdout) as { id: string };
  const engine = DEFAULT_ENGINE;
  const db = await rawDatabase(cli.store, engine);
  await unguarded(db, engine, `update api_keys set rate_limit = 0.5 where id = '${id}'`);
  expect((await cli.run('list', '-o', 'table')).stdout).toMatch(/bad.*Damaged/);
  const listed = JSON.parse((await cli.run('list', '--json')).stdout) as { name: string; status: string }[];
  expect(listed.map(({ name, status }) => `${name} ${status}`).sort()).toEqual(['bad damaged', 'good active']);
  expect((await cli.run('show', id, '-o', 'table')).stdout).toContain('rateLimit: cannot be read');
  expect((await cli.run('disable', 'bad')).exitCode).toBe(0);
  expect((await cli.run('enable', 'bad')).exitCode).toBe(5);
  expect((await cli.run('doctor')).stdout).toContain(id);
  expect((await cli.run('delete', id, '--yes')).exitCode).toBe(0);
});
