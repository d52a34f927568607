import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { keyStrings, Place, TOOL } from '../support/built-tool.js';

/** `run` with a command that says when it is up, what it was given, and what it hears; it ends on its third signal, or SIGTERM, with 9. */
function running(place: Place, flags: readonly string[] = []) {
  const command = place.write(
    'command.mjs',
    `for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'])
       process.on(signal, () => { console.log(signal); if (signal === 'SIGTERM') process.exit(9); });
     setInterval(() => {}, 1000);
     console.log('up ' + process.env.UNLOCKOS_API_KEY + ' ' + process.pid);`,
  );
  const tool = [TOOL, 'run', '-s', 'plan:read', ...flags, '--', process.execPath, command];
  const child = spawn(process.execPath, tool, { cwd: place.dir, env: place.env(), stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, said: reader(child) };
}

/** Resolves once stdout holds a text. */
function reader(child: ChildProcess): (wanted: string) => Promise<string> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    child.emit('said');
  });
  return async (wanted) => {
    while (!text.includes(wanted)) await once(child, 'said');
    return text;
  };
}

test('passes signals on, one each, outlives them itself, and deletes the key at the end', async () => {
  const place = new Place();
  const { child, said } = running(place);
  const [keyString = ''] = keyStrings(await said('up'));
  expect(await place.verdict(keyString)).toBe('valid');
  const commandLine = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
  expect(commandLine).not.toContain(keyString.slice(23));
  child.kill('SIGHUP');
  await said('SIGHUP');
  child.kill('SIGINT');
  await said('SIGINT');
  expect(await place.verdict(keyString)).toBe('valid');
  const ended = once(child, 'close');
  child.kill('SIGTERM');
  expect(await ended).toEqual([9, null]);
  expect((await said('SIGTERM')).split('\n').filter((line) => line.startsWith('SIG'))).toEqual([
    'SIGHUP',
    'SIGINT',
    'SIGTERM',
  ]);
  expect(await place.names()).toEqual([]);
  expect(await place.verdict(keyString)).toBe('invalid');
});

test('killed, it leaves a key that expires by itself', async () => {
  const place = new Place();
  const { child, said } = running(place, ['--ttl', '5m', '--name', 'left']);
  const text = await said('up');
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  process.kill(Number(/up \S+ (\d+)/.exec(text)?.[1]), 'SIGKILL'); // the command lives on, as any orphan
  await ended;
  const left = JSON.parse((await place.tool(['show', 'left', '--json'])).stdout);
  const life = Date.parse(left.expiresAt) - Date.parse(left.createdAt);
  expect(life).toBeLessThanOrEqual(300_000);
  expect(life).toBeGreaterThan(200_000);
});

test('in a terminal, Ctrl-C reaches the command once', async () => {
  const place = new Place();
  const command = place.write(
    'command.mjs',
    `let heard = 0;
     process.on('SIGINT', () => console.log('heard ' + ++heard));
     process.stdin.on('data', () => process.exit(40 + heard));
     console.log('up');`,
  );
  const screen = place.terminal(['run', '-s', 'plan:read', '--', process.execPath, command]);
  await screen.shows(/^up$/m);
  screen.type('\u0003');
  await screen.shows(/heard 1/);
  screen.type('q\r');
  expect((await screen.exit).exitCode).toBe(41);
  expect(await place.names()).toEqual([]);
});

test.each([
  ['a pipe', (start: string) => `cat fifo | ${start}`],
  ['a file', (start: string) => `${start} < /dev/null`],
])('in a terminal, with stdin from %s, Ctrl-C reaches the command once, and its clean-up is not cut', async (_, line) => {
  const place = new Place();
  const command = place.write(
    'command.mjs',
    `let heard = 0;
     process.on('SIGINT', () => {
       console.log('heard ' + ++heard);
       if (heard === 1) setTimeout(() => { console.log('cleaned up after ' + heard); process.exit(40 + heard); }, 300);
     });
     console.log('up'); setInterval(() => {}, 1000);`,
  );
  await place.run('mkfifo', ['fifo']);
  const screen = place.shell();
  await screen.shows(/ready>/);
  screen.type(`${line(`tool run -s plan:read -- '${process.execPath}' '${command}'`)}; echo "code $?"\r`);
  await screen.shows(/^up$/m);
  screen.press('ctrl-c');
  await screen.shows(/^cleaned up after 1$/m);
  await screen.shows(/cleaned up after 1[\s\S]*(^code 41|^ready>)/m);
  expect(await place.names()).toEqual([]);
});
