import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { isKeysError } from '../../src/domain/errors.js';
import { openStore } from '../../src/store/open.js';
import { keyStrings, Place, ROOT } from '../support/built-tool.js';
import { type Call, Disk, RECORD, recordedCalls } from '../support/power.js';
import { keyringOver, options } from '../support/stores.js';

// Real runs of the tool are recorded by strace, and the power is cut whenever something is about to be forced to disk, was said, or lost
// its name: of what was not forced to disk by then, nothing, everything or any part is there afterwards.

const NEW = ['--test-mode', '-s', 'plan:read'];

/** Runs the tool in an empty directory, one command after the other, and hands back their calls. */
async function recorded(place: Place, commands: readonly (readonly string[])[]): Promise<Call[]> {
  const directory = path.dirname(place.store);
  const calls: Call[] = [];
  for (const args of commands) {
    const log = place.file('tmp', 'strace');
    const words = [...RECORD, '-o', log, process.execPath, path.join(ROOT, 'bin/unlockos-keys.js'), ...args];
    const { exitCode, stderr } = await place.run('strace', words);
    expect(exitCode, stderr).toBe(0);
    calls.push(...recordedCalls(log, directory));
  }
  return calls;
}

/** Numbers from 0 to 1, always the same ones. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What survives of what was not forced: nothing, everything, or a part. */
function fates(cut: number): (() => boolean)[] {
  const random = numbers(cut + 1);
  return [() => false, () => true, () => random() < 0.5, () => random() < 0.95];
}

test('whenever the power is cut, every key that was printed is there, and what was said to be done is done', async () => {
  const place = new Place();
  const calls = await recorded(place, [
    ['create', 'first', ...NEW, '-o', 'value'],
    ['create', 'second', ...NEW, '-o', 'value'],
    ['disable', 'first'],
    ['delete', 'second', '--yes'],
  ]);
  const disk = new Disk(place.dir);
  const after = place.file('after');
  const said = { printed: [] as string[], disabled: false, deleted: false };
  let cuts = 0;
  for (const [i, call] of calls.entries()) {
    if (call.kind !== 'sync') disk.apply(call);
    if (call.kind === 'print') {
      said.printed.push(...keyStrings(call.text));
      said.disabled ||= call.text.includes('Disabled first');
      said.deleted ||= call.text.includes('Deleted second');
    }
    for (const kept of ['open', 'write', 'truncate'].includes(call.kind) ? [] : fates(i)) {
      rmSync(after, { recursive: true, force: true });
      mkdirSync(after, { mode: 0o700 });
      for (const [file, content] of disk.afterCut(kept))
        if (!file.endsWith('-shm')) writeFileSync(path.join(after, path.basename(file)), content, { mode: 0o600 });
      await expectWhole(path.join(after, 'keys.db'), said, `cut after call ${i} of ${calls.length}: ${call.kind}`);
      cuts += 1;
    }
    if (call.kind === 'sync') disk.apply(call);
  }
  expect(said).toEqual({ printed: [expect.any(String), expect.any(String)], disabled: true, deleted: true });
  expect(cuts).toBeGreaterThan(100);
});

/** Opens what is left, as the next command would, and holds it to what was said before. */
async function expectWhole(
  file: string,
  { printed, disabled, deleted }: { printed: string[]; disabled: boolean; deleted: boolean },
  when: string,
): Promise<void> {
  const store = await openStore(file, options('better-sqlite3', { create: true })).catch((error: unknown) => {
    throw new Error(`${when}: ${isKeysError(error) ? error.message : error}`);
  });
  try {
    const keyring = keyringOver(store);
    const { keys } = await keyring.list();
    const status = new Map(keys.map(({ id, status }) => [id, status]));
    const ids = printed.map((keyString) => keyString.slice(10, 22));
    if (ids[0]) expect(status.get(ids[0]), when).toMatch(disabled ? /^inactive$/ : /^(active|inactive)$/);
    if (ids[1] && deleted) expect(status.has(ids[1]), when).toBe(false);
    expect((await keyring.auditVerify()).problems, when).toEqual([]);
  } finally {
    await store.close();
  }
}
