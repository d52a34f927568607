import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { faultyIssuer, problem } from '../support/faulty-issuer.js';
import { testCli } from '../support/test-cli.js';

// Every command once, with a store full of secrets: what is printed, logged, audited or left in a file holds none, but for the places
// where a key string was asked for.

/**
 * `KEY` is a key string of the store, given on stdin or by mistake; `>` marks lines whose stdout is where a key string was asked for.
 * `SERVER` is one that issues keys; where it is `REFUSING`, it refuses, and its words repeat what it was sent.
 */
const LINES = `
> create plain --live -s plan:read -o value
> create several more --test -s plan:read --json
create filed --live -s plan:read --key-file sinks/filed.key
create dotted --test -s plan:read --dotenv sinks/.env
create copied --test -s plan:read --copy
create piped --test -s plan:read --pipe -- ./take
create KEY --test -s plan:read
list --search first
list --search KEY
show first
show KEY
usage
usage first
usage KEY
review
edit first -d text
edit first -d KEY
disable first --reason left
disable first --reason KEY
enable first
> rotate first --overlap 1h -o value
rotate first --status
rotate --status
rotate first --finish --force
rotate filed --overlap 0 --key-file sinks/rotated.key
run -s plan:read --name job -- node -e 0
run -s plan:read --name job -- node -e process.exit(3)
run --from SERVER -s plan:read -- node -e 0
run --from SERVER -s plan:read -- node -e process.exit(3)
run --from SERVER -s plan:read --audience KEY -- node -e 0
run --from REFUSING -s plan:read -- node -e 0
> create --from SERVER -s plan:read -o value
> create --from SERVER -s plan:read --json
create --from SERVER -s plan:read --key-file sinks/issued.key
create --from SERVER -s plan:read --pipe -- false
create --from REFUSING -s plan:read --key-file sinks/refused.key
create --from SERVER -s plan:read --id-token-env NONE --copy
delete --from SERVER --stdin --yes
delete --from SERVER KEY --yes
delete --from REFUSING 0123456789ab --yes
delete plain --yes
restore plain
restore KEY
prune --never-used-for 1d --dry-run
diff -f keys.yaml
apply -f keys.yaml --key-dir sinks/keys --yes
apply -f keys.yaml --yes
export
verify --stdin
verify --stdin --scope facility:read
identify --stdin
scan leaks
scan leaks --all --offline
scan leaks --disable --yes
scan --stdin
scan --rules gitleaks
disable --stdin
delete --stdin --yes
serve --environment test --listen 127.0.0.1:0 --log all
serve --environment test --scope KEY
issue --rules issue.yaml --listen 127.0.0.1:0
issue --rules KEY
scopes
scopes add extra:read --category-label Extra
scopes retire extra:read
audit
audit --key first
audit verify
audit head
store
store check
store policy --max-lifetime 400d
store backup backup.db
store copy keys.db copied.db
store upgrade
store restore backup.db --yes
store pepper peppers
store hash hmac-sha256
create peppered --test -s plan:read --key-file sinks/peppered.key
profile add p --store keys.db
profile show p
profile use p
profile list
profile remove p --yes
doctor
completion bash
completion complete -- unlockos-keys show KEY
`;

test('of all that every command prints and leaves behind, nothing holds a secret that was not asked for there', async () => {
  const cli = testCli();
  const token = 'canary-token-0123456789';
  cli.env = { ...cli.env, PATH: process.env.PATH, UNLOCKOS_KEYS_AUTH_TOKEN: token };
  for (const name of ['sinks', 'sinks/keys', 'leaks']) mkdirSync(path.join(cli.dir, name), { mode: 0o700 });
  const { keyString } = await cli.create('first', '--test');
  const { keyString: leaked } = await cli.create('leaked', '--test');
  writeFileSync(path.join(cli.dir, 'leaks/config'), `KEY=${leaked}\nOLD=${keyString.slice(0, 60)}x\n`);
  writeFileSync(
    path.join(cli.dir, 'keys.yaml'),
    'version: 1\nname: m\nkeys:\n  - { name: managed, mode: test, scopes: [plan:read] }\n',
  );
  writeFileSync(
    path.join(cli.dir, 'issue.yaml'),
    '- { name: a, issuer: https://ci.example, audience: us, claims: { sub: job }, scopes: [plan:read], maxTtl: 1h }\n',
  );
  writeFileSync(path.join(cli.dir, 'take'), '#!/bin/sh\ncat > sinks/piped\n', { mode: 0o755 });
  cli.signals.on('log', async (text: string) => {
    const [, address] = /"address":"(127[^"]+)"/.exec(text) ?? [];
    if (address === undefined) return;
    for (const [path, method] of [
      ['/keys', 'POST'],
      [`/keys/${leaked}`, 'DELETE'],
      [`/${leaked}`, 'GET'],
    ] as const)
      await fetch(`http://${address}${path}`, { method, headers: { authorization: `Bearer ${leaked}` } });
    for (const uri of ['/auth', `/auth?key=${leaked}`, `/${leaked}`])
      await fetch(`http://${address}${uri}`, {
        headers: { authorization: `Bearer ${leaked}`, 'x-forwarded-uri': uri },
      });
    cli.signals.emit('SIGTERM', 'SIGTERM');
  });
  const server = await faultyIssuer();
  server.now = () => cli.now;
  const said: { line: string; text: string }[] = [];
  const made: string[] = [keyString, leaked];
  const exits = new Map<string, number>();
  for (const marked of LINES.trim().split('\n')) {
    const [line, isAsked] = [marked.replace('> ', ''), marked.startsWith('> ')];
    cli.stdin = leaked;
    // Without GITHUB_ACTIONS: there, a line of its own has the runner mask the key string.
    const { ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN } = server.github;
    if (/SERVER|REFUSING/.test(line))
      Object.assign(cli.env, { ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN });
    if (line.includes('REFUSING'))
      for (const method of ['POST', 'DELETE'] as const)
        server.next[method] = [
          (call, reply, body) =>
            problem(403, 'not_allowed', `${call.headers.authorization} ${body} ${leaked}`)(call, reply, body),
        ];
    const words = line.split(' ').map((word) => word.replace('KEY', keyString).replace(/SERVER|REFUSING/, server.url));
    const behind = words.indexOf('--');
    const debug =
      behind === -1 ? [...words, '--debug'] : [...words.slice(0, behind), '--debug', ...words.slice(behind)];
    const { exitCode, stdout, stderr } = await cli.run(...debug);
    exits.set(line, exitCode);
    if (line === 'store pepper peppers')
      cli.env.UNLOCKOS_KEYS_PEPPERS = readFileSync(path.join(cli.dir, 'peppers'), 'utf8');
    if (isAsked) made.push(...(stdout.match(/unlk_\w{56}/g) ?? []));
    said.push({ line, text: stderr + (isAsked ? '' : stdout) });
  }
  const audit = await cli.run('audit', '--json');
  said.push({ line: 'audit --json', text: audit.stdout });

  const inFiles = readdirSync(cli.dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ line: path.relative(cli.dir, file), text: readFileSync(file, 'latin1') }));
  const sinks = inFiles.filter(({ line }) => line.startsWith('sinks/'));
  for (const { text } of sinks) made.push(...(text.match(/unlk_\w{56}/g) ?? []));
  made.push(...cli.clipboard.copied, ...server.made.map(({ key }) => key));
  const tokens = [server.requestToken, ...server.calls.map((call) => call.token.split('.')[2] ?? call.token)];
  expect(new Set(tokens).size).toBeGreaterThanOrEqual(14);
  const [pepper = ''] = /[\w+/=-]{30,}/.exec(readFileSync(path.join(cli.dir, 'peppers'), 'utf8')) ?? [];
  expect(pepper).not.toBe('');
  expect(new Set(made).size).toBeGreaterThanOrEqual(18);

  const secrets = [...new Set(made)].map((each) => each.slice(23, 39));
  const elsewhere = inFiles.filter(({ line }) => !/^(sinks|leaks)\/|^peppers$/.test(line));
  for (const { line, text } of [...said, ...elsewhere])
    for (const secret of [...secrets, ...tokens, token, pepper])
      expect(text.includes(secret), `a secret in ${line}`).toBe(false);
  for (const { path, body } of server.calls)
    for (const secret of secrets) expect((path + body).includes(secret), `a secret was sent to ${path}`).toBe(false);
  for (const { line, text } of said)
    expect(/\$2[aby]\$|hmac-sha256:\w+:\w{20}/.test(text), `a hash in ${line}`).toBe(false);

  // It was no empty walk: each command did something, and every command is here.
  const worked = new Set([...exits].filter(([, code]) => [0, 3, 7].includes(code)).map(([line]) => line.split(' ')[0]));
  const all = COMMANDS.flatMap(([, commands]) => commands.map(([word]) => word));
  expect(all.filter((word) => !worked.has(word))).toEqual([]);
});
