import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Place, type Result, SOUND } from '../support/built-tool.js';
import { Served } from '../support/served.js';

// Whole processes whose clock is wrong, by libfaketime: also SQLite's clock in them.

const LIBRARY = '/usr/$LIB/faketime/libfaketime.so.1';
/** Timers go on as they are: only the time of day is wrong. */
const FAKE = { LD_PRELOAD: LIBRARY, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1' };

const at = (time: string) => ({ ...FAKE, FAKETIME: time });
const CREATE = ['--test-mode', '-s', 'checkin:read', '-o', 'value'];

test('runs in 1970, in 2100 and now make one sound store, whose log is in the order of the changes', async () => {
  const place = new Place();
  const tool = (args: string[], env = {}, input = '') => place.tool(args, { env, input });
  const made = async (name: string, env = {}, ...flags: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await tool(['create', name, ...CREATE, ...flags], env);
    expect(exitCode, stderr).toBe(0);
    return stdout.trimEnd();
  };
  const verdict = async (keyString: string, env = {}): Promise<string> =>
    (await tool(['verify', '--stdin', '-o', 'value'], env, keyString)).stdout.trimEnd();

  const now = await made('now');
  const past = await made('past', at('@1970-01-02 00:00:00'), '--expires', '30d');
  const future = await made('future', at('@2100-01-01 00:00:00'), '--expires', '30d');
  const { stdout: list } = await tool(['list', '--json', '--sort', 'created'], at('@2100-01-02 00:00:00'));
  expect(JSON.parse(list)).toHaveLength(3);
  expect(await verdict(past, at('@1970-01-03 00:00:00'))).toBe('valid');
  expect(await verdict(past)).toBe('expired');
  expect(await verdict(future)).toBe('valid');
  expect(await verdict(future, at('@2100-03-01 00:00:00'))).toBe('expired');
  expect(await verdict(now, at('@2100-03-01 00:00:00'))).toBe('valid');
  expect((await tool(['disable', 'now'], at('@1970-01-02 00:00:00'))).exitCode).toBe(0);
  expect(await verdict(now, at('@2100-03-01 00:00:00'))).toBe('inactive');
  expect((await tool(['enable', 'now'])).exitCode).toBe(0);
  const rotated = await tool(['rotate', 'future', '--overlap', '1h', '-o', 'value'], at('@2100-01-02 00:00:00'));
  expect(rotated.exitCode, rotated.stderr).toBe(0);
  expect(await verdict(rotated.stdout.trimEnd())).toBe('valid');

  const events = JSON.parse((await tool(['audit', 'list', '--json'])).stdout) as {
    seq: number;
    at: string;
    action: string;
  }[];
  const inOrder = events.toSorted((a, b) => a.seq - b.seq);
  expect(inOrder.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
  const actions = inOrder.map(({ action }) => action).filter((action) => /^key\.(create|disable|enable)$/.test(action));
  expect(actions.slice(0, 5)).toEqual(['key.create', 'key.create', 'key.create', 'key.disable', 'key.enable']);
  const years = new Set(events.map(({ at }) => at.slice(0, 4)));
  expect([...years].sort()).toEqual(['1970', new Date().toISOString().slice(0, 4), '2100']);
  expect(await place.health()).toEqual(SOUND);
  for (const env of [at('@1970-01-02 00:00:00'), at('@2100-01-01 00:00:00')])
    expect((await tool(['audit', 'verify'], env)).exitCode).toBe(0);
});

test.each([
  ['@1970-01-02 00:00:00', ['disable', 'enable', 'disable']],
  ['@2100-01-01 00:00:00', ['disable']],
])('changes under a clock at %s remove no deleted key that can be restored', async (time, changes) => {
  const place = new Place();
  const keyString = await place.key('deleted');
  await place.key('other');
  expect((await place.tool(['delete', 'deleted', '--yes'])).exitCode).toBe(0);
  for (const each of changes) expect((await place.tool([each, 'other'], { env: at(time) })).exitCode).toBe(0);
  for (const args of [
    ['enable', 'other'],
    ['prune', '--expired', '--yes'],
    ['restore', 'deleted'],
    ['enable', 'deleted'],
  ])
    expect(await place.tool(args), args.join(' ')).toMatchObject({ exitCode: 0 });
  expect(await place.verdict(keyString)).toBe('valid');
});

test('a server whose clock jumps a year ahead and back locks nobody out, and leaves no mark that stays', async () => {
  const place = new Place();
  const keyString = await place.key('kiosk', '--rate-limit', '2/m');
  const clock = place.file('clock');
  const set = (offset: string) => writeFileSync(clock, offset);
  set('+0');
  const env = { ...FAKE, FAKETIME_TIMESTAMP_FILE: clock };
  const served = new Served(
    place,
    ['--listen', '127.0.0.1:0', '--environment', 'test', '--scope', 'checkin:read'],
    env,
  );
  const url = await served.url();
  const ask = async () => {
    const { status, headers } = await fetch(`${url}/auth`, { headers: { authorization: `Bearer ${keyString}` } });
    return { status, wait: Number(headers.get('retry-after') ?? 0) };
  };
  const useUp = async () => {
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await ask());
    return answers;
  };
  const first = await useUp();
  expect(first.filter(({ status }) => status === 200)).toHaveLength(2);
  for (const offset of ['+365d', '+0', '-365d', '+0']) {
    set(offset);
    const answers = await useUp();
    for (const { status, wait } of answers) {
      expect([200, 429], offset).toContain(status);
      expect(wait, offset).toBeLessThanOrEqual(60);
    }
    expect(answers.filter(({ status }) => status === 200).length, offset).toBeLessThanOrEqual(2);
  }
  set('+365d');
  expect(await ask()).toMatchObject({ status: 200 });
  expect(await served.ended('SIGTERM')).toEqual([0, null]);

  const doctor = (): Promise<Result> => place.tool(['doctor']);
  const used = async (): Promise<number> =>
    Date.parse(JSON.parse((await place.tool(['show', 'kiosk', '--json'])).stdout).lastUsedAt);
  if ((await used()) > Date.now() + 60_000) {
    expect((await doctor()).stdout).toMatch(/future/);
    const again = new Served(place, ['--listen', '127.0.0.1:0', '--environment', 'test', '--scope', 'checkin:read']);
    await fetch(`${await again.url()}/auth`, { headers: { authorization: `Bearer ${keyString}` } });
    expect(await again.ended('SIGTERM')).toEqual([0, null]);
  }
  expect(await used()).toBeLessThanOrEqual(Date.now());
  expect((await doctor()).exitCode).toBe(0);
});

test('servers in 1970 and in 2100 remove no counts of use', async () => {
  const place = new Place();
  const keyString = await place.key('counted');
  const used = async (): Promise<[string, number][]> =>
    JSON.parse((await place.tool(['usage', 'counted', '--json'])).stdout)
      .filter((each: { used: number }) => each.used > 0)
      .map((each: { day: string; used: number }) => [each.day, each.used]);
  const serveOnce = async (env = {}) => {
    const served = new Served(
      place,
      ['--listen', '127.0.0.1:0', '--environment', 'test', '--scope', 'checkin:read'],
      env,
    );
    const { status } = await fetch(`${await served.url()}/auth`, { headers: { authorization: `Bearer ${keyString}` } });
    expect(status).toBe(200);
    expect(await served.ended('SIGTERM')).toEqual([0, null]);
  };
  await serveOnce();
  const [before] = await used();
  expect(before?.[1]).toBe(1);
  await serveOnce(at('@2100-01-01 00:00:00'));
  expect(await used()).toEqual([before, ['2100-01-01', 1]]);
  await serveOnce(at('@1970-01-02 00:00:00'));
  expect((await place.tool(['prune', '--expired', '--yes'], { env: at('@1970-01-02 00:00:00') })).exitCode).toBe(0);
  expect(await used()).toContainEqual(before);
  await serveOnce(); // the day that has not come is removed
  expect(await used()).toEqual([[before?.[0], 2]]);
});
