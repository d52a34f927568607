import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ROOT } from '../support/built-tool.js';
import { scratch } from '../support/stores.js';

// Needs promtool, which is in the Debian package prometheus.

const deploy = path.join(ROOT, 'deploy');
const promtool = (...args: string[]) =>
  execFileSync('promtool', args, { cwd: path.join(deploy, 'prometheus'), encoding: 'utf8', stdio: 'pipe' });

test('Prometheus loads the alert rules, and they fire when they should', () => {
  expect(promtool('check', 'rules', 'alerts.yml')).toContain('SUCCESS');
  expect(promtool('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
});

test('Prometheus understands every query of the dashboard', () => {
  const { panels } = JSON.parse(readFileSync(path.join(deploy, 'grafana/unlockos-keys.json'), 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m')));
  const rules = queries.map((expr, i) => ({ record: `query:${i}`, expr }));
  const file = path.join(scratch(), 'queries.yml');
  writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
  expect(promtool('check', 'rules', file)).toContain(`${rules.length} rules found`);
});
