import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { KeyCensus } from '../../src/domain/key-query.js';
import { CachedCensus } from '../../src/server/census.js';
import { ask, scene } from '../support/auth-servers.js';
import { ROOT } from '../support/built-tool.js';
import { make } from '../support/keyrings.js';

const CENSUS = {} as KeyCensus;

test('the store is asked again only after five seconds, and less often where counting takes long', async () => {
  let [now, asked, takes] = [0, 0, 10];
  const census = new CachedCensus(
    async () => {
      asked += 1;
      now += takes;
      return CENSUS;
    },
    () => now,
  );
  await Promise.all([census.latest(), census.latest()]);
  expect(await census.latest()).toBe(CENSUS);
  expect(asked).toBe(1);
  now += 5000;
  takes = 1000;
  await census.latest();
  expect(asked).toBe(2);
  now += 19_000;
  await census.latest();
  expect(asked).toBe(2);
  now += 1000;
  await census.latest();
  expect(asked).toBe(3);
});

test('a store that fails or hangs holds up no scrape', async () => {
  const failing = new CachedCensus(async () => {
    throw new Error('gone');
  });
  expect(await failing.latest()).toBeNull();
  const hanging = new CachedCensus(() => new Promise(() => {}), undefined, 0);
  expect(await hanging.latest()).toBeNull();
});

test('/metrics has the counts, at zero too, and goes on without them when the store fails', async () => {
  const { keyring, address } = await scene();
  await make(keyring, 'a', { expires: '10d' });
  const { text } = await ask(address, '/metrics');
  expect(text).toContain('unlockos_keys_keys{mode="test",status="active"} 1\n');
  expect(text).toContain('unlockos_keys_keys{mode="live",status="expired"} 0\n');
  expect(text).toContain('unlockos_keys_keys_expiring{mode="test",within="7d"} 0\n');
  expect(text).toContain('unlockos_keys_keys_expiring{mode="test",within="14d"} 1\n');
  expect(text).toMatch(/unlockos_keys_next_expiry_timestamp_seconds\{mode="test"\} 17\d{8}\n/);
  expect(text).not.toContain('unlockos_keys_next_expiry_timestamp_seconds{mode="live"}');
  const broken = await scene({
    census: async () => {
      throw new Error('gone');
    },
  });
  const without = await ask(broken.address, '/metrics');
  expect(without.status).toBe(200);
  expect(without.text).not.toContain('unlockos_keys_keys{');
  expect(without.text).toContain('unlockos_keys_open_connections');
});

/** The metrics that an expression names, each with the labels that it asks for; and the labels that it groups by. */
function namesIn(expression: string): { metric: string; labels: string[] }[] {
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/));
  return [...expression.matchAll(/\b((?:unlockos_keys|nodejs|process)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, metric = '', selector = '']) => ({
      metric,
      labels: [...grouped, ...[...selector.matchAll(/(\w+)\s*!?=/g)].map(([, label = '']) => label)],
    }),
  );
}

test('every metric and label in deploy/ is one that /metrics has', async () => {
  const { keyring, address } = await scene();
  await make(keyring, 'a', { expires: '10d' });
  await ask(address, '/auth');
  const { text } = await ask(address, '/metrics');
  const read = (file: string) => readFileSync(path.join(ROOT, 'deploy', file), 'utf8');
  const dashboard = JSON.parse(read('grafana/unlockos-keys.json')) as { panels: { targets: { expr: string }[] }[] };
  const alerts = parse(read('prometheus/alerts.yml')) as { groups: { rules: { expr: string }[] }[] };
  const expressions = [
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ];
  expect(expressions.length).toBeGreaterThan(20);
  const unknown = expressions.flatMap((expression) => {
    const used = namesIn(expression);
    expect(used, expression).not.toEqual([]);
    return used.flatMap(({ metric, labels }) => {
      const series = text.split('\n').filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `));
      const has = (label: string) => series.every((line) => line.includes(`${label}="`));
      return series.length > 0 && labels.every(has) ? [] : [`${metric} by ${labels.join(', ')}`];
    });
  });
  expect(unknown).toEqual([]);
});
