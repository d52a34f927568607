import { expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

test('delete says how to undo it, restore brings the key back inactive, and says why it went', async () => {
  const cli = testCli();
  const { id, keyString } = await cli.create('partner', '--live');
  const { id: other } = await cli.create('other');
  const gone = await cli.run('delete', 'partner', 'other', '--yes', '--reason', 'left');
  expect(gone.stderr).toContain(`Undo: unlockos-keys restore ${id} ${other}`);
  const show = await cli.run('show', 'partner');
  expect(show.exitCode).toBe(3);
  expect(show.stderr).toMatch(new RegExp(`key "partner" \\(${id}\\) was deleted just now by `));
  expect(show.stderr).toContain(`unlockos-keys restore ${id}`);
  expect((await cli.run('list', '--deleted')).stdout).toMatch(/NAME +KEY +DELETED +BY +GONE +REASON[\s\S]*partner/);
  expect(await cli.json('list', '--deleted')).toMatchObject([{ id: other }, { id, reason: 'left', leaked: false }]);
  expect((await cli.run('list', '--deleted', '--mode', 'live')).exitCode).toBe(2);
  expect((await cli.run('list', '--deleted', '--exit-code')).exitCode).toBe(7);
  expect((await cli.run('restore', 'partner', '-n')).stderr).toContain('Dry run: would restore partner');
  const back = await cli.run('restore', id, other);
  expect(back.exitCode).toBe(0);
  expect(back.stderr).toMatch(/It was deleted just now by .*: left/);
  expect(back.stderr).toContain(`Restored partner (${id}), inactive; to enable it: unlockos-keys enable ${id}`);
  expect(await cli.json('show', 'partner')).toMatchObject({ id, status: 'inactive' });
  expect((await cli.run('restore', 'partner')).exitCode).toBe(5);
  expect((await cli.run('restore', 'nobody')).exitCode).toBe(3);
  cli.stdin = keyString;
  expect((await cli.run('verify', '--stdin')).stderr + (await cli.run('show', id)).stdout).toContain('nactive');
});

test('a key that leaked says so when it is restored', async () => {
  const cli = testCli();
  const { id, keyString } = await cli.create('partner');
  cli.stdin = keyString;
  expect((await cli.run('delete', '--stdin', '--yes')).exitCode).toBe(0);
  const { stderr } = await cli.run('restore', id, '--json');
  expect(stderr).toContain('because its key string leaked');
  await cli.run('delete', id, '--yes');
  expect((await cli.run('restore', id)).stderr).toContain('because its key string leaked');
  const { id: found } = await cli.create('found');
  await cli.run('disable', found, '--reason', 'found by scan: app.js');
  await cli.run('delete', found, '--yes');
  expect((await cli.run('restore', found)).stderr).toContain(
    'was disabled before it was deleted: found by scan: app.js',
  );
});

test('delete --purge removes for good: an existing key, or one that was deleted; never one for the other', async () => {
  const cli = testCli();
  const { id: old } = await cli.create('a');
  await cli.run('delete', 'a', '--yes');
  const { id } = await cli.create('a');
  const both = await cli.run('delete', 'a', '--purge', '--yes');
  expect(both.exitCode).toBe(3);
  expect(both.stderr).toContain(`"a" could be key ${id}, which exists, or key ${old}, which was deleted`);
  const purged = await cli.run('delete', old, '--purge', '--yes');
  expect(purged.stderr).toContain(`Removed a (${old}) for good`);
  expect(purged.stderr).not.toContain('Undo');
  const last = await cli.run('delete', 'a', '--purge', '--yes');
  expect(last.stderr).toContain(`Deleted a (${id}) for good`);
  expect(last.stderr).not.toContain('Undo');
  expect(await cli.json('list', '--deleted')).toEqual([]);
  await cli.run('store', 'policy', '--keep-deleted', '0');
  expect((await cli.run('store', 'policy')).stdout).toContain('Deleted keys   are gone at once');
  await cli.create('b');
  expect((await cli.run('delete', 'b', '--yes')).stderr).not.toContain('Undo');
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
});
