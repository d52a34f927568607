import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { type FaultyIssuer, faultyIssuer, problem } from '../support/faulty-issuer.js';
import { type TestCli, testCli } from '../support/test-cli.js';

/** A job of GitHub whose earlier step made a key. */
async function job() {
  const server = await faultyIssuer();
  const cli = testCli();
  cli.clock = () => new Date();
  cli.ci = { name: 'GitHub Actions' };
  cli.env = { ...server.github };
  const { stdout } = await cli.run('create', '--from', server.url, '-s', 'checkin:read', '-o', 'value');
  server.calls.length = 0;
  return { server, cli, keyString: stdout.trim(), id: stdout.slice(10, 22) };
}

const remove = (cli: TestCli, server: FaultyIssuer, ...words: string[]) =>
  cli.run('delete', '--from', server.url, ...words);

describe('delete --from', () => {
  test('deletes a key by its id, as this job, and opens no store', async () => {
    const { server, cli, id } = await job();
    const { exitCode, stdout, stderr } = await remove(cli, server, id, '--yes');
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toBe(`Deleted key ${id} at ${server.url}\n`);
    expect(server.keys.size).toBe(0);
    expect(server.calls.map(({ method, path }) => `${method} ${path}`).at(-1)).toBe(`DELETE /keys/${id}`);
    expect(existsSync(cli.store)).toBe(false);
  });

  test('finds the id in a key string on stdin, and sends no more of it', async () => {
    const { server, cli, id, keyString } = await job();
    cli.stdin = `${keyString}\r\n`;
    const { exitCode, stderr } = await remove(cli, server, '--stdin', '--yes');
    expect(exitCode, stderr).toBe(0);
    expect(server.keys.size).toBe(0);
    expect(JSON.stringify(server.calls)).toContain(id);
    expect(JSON.stringify(server.calls) + stderr).not.toContain(keyString.slice(23));
  });

  test('JSON says which key it was, and where; one that is gone by now is deleted as well', async () => {
    const { server, cli, id } = await job();
    for (const output of ['--json', '-o=value']) {
      const { exitCode, stdout } = await remove(cli, server, id, '--yes', ...output.split('='));
      expect(exitCode).toBe(0);
      if (output === '--json') expect(JSON.parse(stdout)).toEqual([{ id, server: server.url }]);
      else expect(stdout).toBe(`${id}\n`);
    }
  });

  test('asks first; without a person it takes --yes, and nothing is sent', async () => {
    const { server, cli, id } = await job();
    const refused = await remove(cli, server, id);
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain(`not confirmed: this would delete TEST key ${id} at ${server.url}`);
    const dry = await remove(cli, server, id, '-n');
    expect([dry.exitCode, dry.stderr]).toEqual([0, `Dry run: would delete key ${id} at ${server.url}\n`]);
    cli.ci = null;
    cli.atTerminal(false);
    expect((await remove(cli, server, id)).exitCode).toBe(6);
    expect(server.calls).toEqual([]);
    cli.atTerminal(true);
    expect((await remove(cli, server, id)).exitCode).toBe(0);
    expect(server.keys.size).toBe(0);
  });

  test('a key of another job, and a server that does not answer, are said', async () => {
    const { server, cli, id } = await job();
    server.next.DELETE.push(problem(404, 'not_found', 'this job was given no such key'));
    const other = await remove(cli, server, id, '--yes');
    expect(other.exitCode).toBe(3);
    expect(other.stderr).toMatch(/did not give this job such a key[\s\S]*may be the key of another job/);
    server.next.DELETE.push(problem(403, 'not_allowed', 'no longer'));
    expect((await remove(cli, server, id, '--yes')).exitCode).toBe(4);
    server.next.DELETE.push(
      (_, reply) => void reply.destroy(),
      problem(503, 'store_unavailable', 'x', { 'retry-after': '0' }),
    );
    expect((await remove(cli, server, id, '--yes')).exitCode).toBe(0);
    expect(server.keys.size).toBe(0);
  });

  test.each<[string[], string, RegExp]>([
    [[], '', /no key was named/],
    [['a-name'], '', /"a-name" is not the id of a key/],
    [['0123'], '', /is not the id of a key/],
    [['0123456789ab', '0123456789ac'], '', /2 keys were named[\s\S]*one by one/],
    [['0123456789ab', '--stdin'], 'x', /--stdin and a KEY argument/],
    [['--stdin'], '\n', /no key string on stdin/],
    [['--stdin'], 'hunter2', /what is on stdin is not a key string/],
    [['--stdin'], `${mintKeyString('test').keyString}\n`.repeat(2), /2 lines on stdin/],
    [['0123456789ab', '--purge'], '', /--purge and --from do not go together[\s\S]*the server keeps nothing/],
    [['0123456789ab', '--reason', 'x'], '', /--reason and --from/],
    [['-l', 'a=b'], '', /--label and --from[\s\S]*by its id/],
    [['0123456789ab', '--operation-id', 'deploy-2026'], '', /--operation-id and --from[\s\S]*does no harm/],
    [['0123456789ab', '--confirm', 'x'], '', /--confirm and --from/],
    [['0123456789ab', '--store', 'keys.db'], '', /--store and --from/],
  ])('%j is refused before anybody is asked', async (words, stdin, says) => {
    const { server, cli } = await job();
    cli.stdin = stdin;
    const { exitCode, stderr } = await remove(cli, server, '--yes', ...words);
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/hunter2|unlk_test_\w{20}/);
    expect(server.calls).toEqual([]);
  });

  test('--id-token-env without --from is refused', async () => {
    const cli = testCli();
    expect((await cli.run('delete', 'x', '--yes', '--id-token-env', 'A')).stderr).toMatch(/is for --from/);
  });
});
