import { expect, test } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { issuing } from '../support/issue-servers.js';
import { GITHUB } from '../support/oidc-claims.js';
import { DEFAULT_ENGINE, keyringOver, options } from '../support/stores.js';
import { testCli } from '../support/test-cli.js';

// What whoever runs the store sees of the keys that jobs were given.

const ACTOR = 'github:acme/app@refs/heads/main run 9876543210 attempt 1';

test('a key of a job is found by its labels, named with its proven actor, and cleared once it has expired', async () => {
  const cli = testCli();
  cli.clock = () => new Date();
  await cli.create('kiosk', '--live');
  const store = await openStore(cli.store, options(DEFAULT_ENGINE, { create: false }));
  const keyring = keyringOver(store, {
    get now() {
      return new Date();
    },
    set now(_) {},
  });
  const { issue, provider } = await issuing({ keyring });
  const made = await issue(await provider.token(GITHUB), { scopes: ['checkin:read'], ttl: '15m' });
  const { id, name } = made.json() as { id: string; name: string };

  const ids = async (...words: string[]) => {
    const { stdout } = await cli.run('list', '-o', 'value', ...words);
    return stdout.trim().split('\n').filter(Boolean);
  };
  for (const label of ['ci=github', 'ci-rule=app', 'ci-repository=acme/app', 'ci-run=9876543210-1'])
    expect(await ids('--label', label), label).toEqual([id]);
  expect(await ids('--label', 'ci=gitlab')).toEqual([]);
  const shown = await cli.run('show', id, '--json');
  expect(JSON.parse(shown.stdout)).toMatchObject({
    createdBy: { actor: ACTOR, osUser: 'ops', proven: true },
    mode: 'test',
  });
  const log = await cli.run('audit', 'list', '--key', id);
  expect(log.stdout).toContain(`${ACTOR} (proven, `);
  const json = await cli.run('audit', 'list', '--key', id, '--json');
  expect(JSON.parse(json.stdout)).toMatchObject([
    { action: 'key.create', actor: ACTOR, proven: { issuer: provider.issuer, subject: GITHUB.sub } },
  ]);
  const claimed = await cli.run('create', 'claim', '--test', '-s', 'plan:read', '-o', 'value', '--actor', ACTOR);
  expect(claimed.exitCode).toBe(0);
  expect((await cli.run('audit', 'list', '--key', 'claim')).stdout).not.toContain('proven');
  expect((await cli.run('review')).stdout).toContain(name);

  const prune = ['prune', '--expired', '--label', 'ci=github', '--yes'];
  expect((await cli.run(...prune)).exitCode).toBe(0);
  expect(await ids('--label', 'ci=github')).toEqual([id]);
  cli.clock = () => new Date(Date.now() + 16 * 60_000);
  expect(await ids('--label', 'ci=github', '--status', 'active')).toEqual([]);
  expect((await cli.run(...prune)).stderr).toContain(name);
  expect(await ids('--label', 'ci=github')).toEqual([]);
  expect((await ids()).length).toBe(2);
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
});
