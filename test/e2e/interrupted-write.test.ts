import { expect, test } from 'vitest';
import { keyStrings, Place, SOUND } from '../support/built-tool.js';
import { atPoint, type KillPoint } from '../support/preloads.js';

// A signal while a change is written: it has happened, with its audit event, or it has not; what the exit code says is true, and no key
// works that nobody has.

const POINTS: readonly KillPoint[] = ['before-begin', 'before-commit', 'after-commit'];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Event {
  readonly action: string;
  readonly keyName: string | null;
}

const events = async (place: Place): Promise<Event[]> =>
  JSON.parse((await place.look(['audit', 'list', '--json'])).stdout);

test('create: a key that works was printed, and one that was printed works', async () => {
  const place = new Place();
  const printed = [await place.key('first')];
  const outcomes = [];
  for (const signal of SIGNALS)
    for (const point of POINTS) {
      const name = `${signal}-${point}`;
      const node = atPoint(place, point, 1, `process.kill(process.pid, '${signal}');`);
      const run = await place.tool(['create', name, '--test-mode', '-s', 'plan:read', '-o', 'value'], { node });
      const keys = keyStrings(run.stdout);
      expect(keys).toHaveLength(run.exitCode === 0 ? 1 : 0);
      printed.push(...keys);
      outcomes.push({ name, done: run.exitCode === 0, said: run.stderr });
    }
  const active = (await place.keys()).filter(({ status }) => status === 'active').map(({ id }) => id);
  expect(active.sort()).toEqual(printed.map((each) => each.slice(10, 22)).sort());
  const stored = await place.names();
  for (const { name, done, said } of outcomes)
    if (!done && stored.includes(name)) expect(said, name).toMatch(/interrupted by SIG\w+\), so the key was disabled/);
  expect(await place.health()).toEqual(SOUND);
});

test('every other change and its event are there, or neither', async () => {
  const place = new Place();
  await place.key('key');
  await place.key('gone');
  let before = await events(place);
  for (const [args, action] of [
    [['disable', 'key'], 'key.disable'],
    [['enable', 'key'], 'key.enable'],
    [['edit', 'key', '-d', 'text'], 'key.edit'],
    [['delete', 'gone', '--yes'], 'key.delete'],
  ] as const)
    for (const [point, signal] of [
      ['before-commit', 'SIGTERM'],
      ['after-commit', 'SIGINT'],
    ] as const) {
      const when = `${args[0]} ${point}`;
      const node = atPoint(place, point, 1, `process.kill(process.pid, '${signal}');`);
      await place.tool(args, { node });
      const after = await events(place);
      const added = after.length - before.length;
      expect([0, 1], when).toContain(added);
      if (added === 1)
        expect(after.filter((each) => each.action === action).length, when).toBe(
          before.filter((each) => each.action === action).length + 1,
        );
      else expect(after, when).toEqual(before);
      before = after;
    }
  expect(before.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['key.disable', 'key.enable', 'key.edit', 'key.delete']),
  );
  expect(await place.health()).toEqual(SOUND); // every row is as the log says
});
