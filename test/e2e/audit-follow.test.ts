import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { fillLog } from '../support/fill-log.js';

const ENTRY = path.join(ROOT, 'bin/unlockos-keys.js');

interface Following {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

function start(place: Place, file: string, args: readonly string[]): Following {
  const child = spawn(file, args, { cwd: place.dir, env: place.env(), stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | string | null>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal));
  });
  return { child, stderr: () => stderr, ended };
}

const wholeLines = (file: string) => readFileSync(file, 'utf8').split('\n').slice(0, -1);

/** Waits until the file has a line about this row. */
async function rowIn(file: string, seq: number): Promise<void> {
  while (!existsSync(file) || !wholeLines(file).some((line) => JSON.parse(line).seq === seq))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

test('deploy/audit/ship.sh loses and doubles no row, however often it is killed while others write', async () => {
  const place = new Place();
  place.write('bin/unlockos-keys', `#!/bin/sh\nexec '${process.execPath}' '${ENTRY}' "$@"\n`, 0o755);
  await place.key('a');
  const file = place.file('audit.jsonl');
  const ship = () => start(place, path.join(ROOT, 'deploy/audit/ship.sh'), [file, '--interval', '100ms']);
  for (let seq = 3; seq <= 7; seq += 2) {
    const { child, ended } = ship();
    await place.look(['disable', 'a']);
    await place.look(['enable', 'a']);
    await rowIn(file, seq);
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    if (seq === 5) truncateSync(file, readFileSync(file).length - 10); // the machine went down within a line
  }
  renameSync(file, `${file}.1`); // logrotate
  await place.look(['disable', 'a']);
  const { child, ended, stderr } = ship();
  const { seq } = JSON.parse((await place.look(['audit', 'head', '--json'])).stdout);
  await rowIn(file, seq);
  expect(await ship().ended).toBe(1); // two would double each row
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(stderr()).toBe('');
  const all = [...wholeLines(`${file}.1`), ...wholeLines(file)];
  expect(all.map((line) => JSON.parse(line).seq)).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
  const verify = ['audit', 'verify', '--file', `${file}.1`, '--file', file];
  expect(await place.look(verify)).toMatchObject({ exitCode: 0 });
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${place.store}${suffix}`, { force: true });
  await place.key('a'); // another store in its place
  const last = ship();
  expect(await last.ended).toBe(7);
  expect(last.stderr()).toContain(`the audit log does not contain row ${seq}:`);
});

test('Ctrl-C and SIGTERM end it with 0, also while nobody reads; a reader that leaves ends it, too', async () => {
  const place = new Place();
  await place.key('a');
  await fillLog(place.store, 400); // more than a pipe holds
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const args = ['audit', 'list', '--follow', '-o', 'jsonl'];
    const { child, ended } = start(place, process.execPath, [ENTRY, ...args]);
    await new Promise((resolve) => child.stdout?.once('readable', resolve));
    child.kill(signal);
    expect(await ended).toBe(0);
  }
  let piped: Awaited<ReturnType<Place['bash']>> | undefined;
  const pipeline = place.bash('set -o pipefail; tool audit list --follow -o value | head -n 3 && echo ended');
  void pipeline.then((result) => {
    piped = result;
  });
  // It learns of it with the next row.
  for (let i = 0; piped === undefined; i++) {
    await place.look([i % 2 === 0 ? 'disable' : 'enable', 'a']);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(await pipeline).toMatchObject({ stdout: '1\n2\n3\nended\n', stderr: '' });
});
