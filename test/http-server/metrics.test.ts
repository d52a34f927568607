import { expect, test } from 'vitest';
import { Metrics } from '../../src/http-server/metrics.js';

function metrics() {
  const values = { made: 3, open: 2, keys: 5 };
  const made = new Metrics<'a' | 'b'>({
    endpoints: ['a', 'b'],
    timed: ['a'],
    answers: { name: 'test_answers_total', help: 'Answers', label: 'answer' },
    seconds: { name: 'test_seconds', buckets: [0.1, 1] },
    totals: [['test_made_total', 'Made', () => values.made]],
    gauges: [['test_keys', 'Keys', () => values.keys]],
    connections: () => values.open,
  });
  const lines = async (name: string) => (await made.text()).split('\n').filter((line) => line.startsWith(name));
  return { made, values, lines };
}

test('answers are counted by endpoint and word, once, however often they are read', async () => {
  const { made, lines } = metrics();
  for (const [endpoint, answer] of [
    ['a', 'valid'],
    ['a', 'valid'],
    ['b', 'valid'],
    ['a', 'invalid'],
  ] as const)
    made.answered(endpoint, answer, 0);
  const expected = [
    'test_answers_total{endpoint="a",answer="valid"} 2',
    'test_answers_total{endpoint="a",answer="invalid"} 1',
    'test_answers_total{endpoint="b",answer="valid"} 1',
  ];
  expect(await lines('test_answers_total')).toEqual(expected);
  expect(await lines('test_answers_total')).toEqual(expected);
  made.answered('b', 'valid', 0);
  expect(await lines('test_answers_total{endpoint="b"')).toEqual(['test_answers_total{endpoint="b",answer="valid"} 2']);
});

test('times are counted in the first bucket that holds them and in all above it, for timed endpoints only', async () => {
  const { made, lines } = metrics();
  for (const seconds of [0.05, 0.1, 0.11, 1, 7]) made.answered('a', 'x', seconds);
  made.answered('b', 'x', 9);
  expect(await lines('test_seconds')).toEqual([
    'test_seconds_bucket{le="0.1",endpoint="a"} 2',
    'test_seconds_bucket{le="1",endpoint="a"} 4',
    'test_seconds_bucket{le="+Inf",endpoint="a"} 5',
    expect.stringMatching(/^test_seconds_sum\{endpoint="a"\} 8\.26/),
    'test_seconds_count{endpoint="a"} 5',
  ]);
  expect(await made.text()).toContain('# TYPE test_seconds histogram\n');
});

test('what is counted elsewhere is read at each scrape', async () => {
  const { values, lines, made } = metrics();
  const read = async () => [
    ...(await lines('test_made_total ')),
    ...(await lines('test_keys ')),
    ...(await lines('unlockos_keys_open_connections ')),
  ];
  expect(await read()).toEqual(['test_made_total 3', 'test_keys 5', 'unlockos_keys_open_connections 2']);
  Object.assign(values, { made: 4, open: 0, keys: 6 });
  expect(await read()).toEqual(['test_made_total 4', 'test_keys 6', 'unlockos_keys_open_connections 0']);
  expect(made.contentType).toMatch(/^text\/plain/);
});

test('the process is measured in the units that the names say', async () => {
  const { lines } = metrics();
  const value = async (name: string) => Number((await lines(`${name} `))[0]?.split(' ')[1]);
  const cpu = process.cpuUsage();
  expect(Math.abs((await value('process_cpu_seconds_total')) - (cpu.user + cpu.system) / 1e6)).toBeLessThan(5);
  expect(await value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  const busy = await value('nodejs_eventloop_utilization');
  expect(busy >= 0 && busy <= 1).toBe(true);
});
