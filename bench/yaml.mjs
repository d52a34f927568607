// The processor time of reading YAML files up to the largest that are accepted. Four times the size should take about four times as long.
import { parseManifest } from '../dist/manifest/parse.js';
import { planManifest } from '../dist/manifest/plan.js';
import { loadBundled } from '../scripts/bundled-module.mjs';
import { report } from './measure.mjs';

const { parseRules } = await loadBundled("export { parseRules } from './src/server/rules.ts';");

const MIB = 1_048_576;
const SCOPES = Array.from({ length: 200 }, (_, i) => `area-${i % 20}:action-${i}`);
const catalogue = SCOPES.map((scope) => ({
  scope,
  category: scope.split(':')[0],
  categoryLabel: scope,
  action: scope.split(':')[1],
  retired: false,
}));

const manifest = (count, scopeOf) =>
  `version: 1\nname: team\nkeys:\n${Array.from(
    { length: count },
    (_, i) =>
      `  - name: key-${i}\n    mode: test\n    scopes: [${scopeOf(i)}]\n    rateLimit: 600/m\n    labels: { team: a }\n`,
  ).join('')}`;
const rules = (bytes) =>
  Array.from(
    { length: Math.floor(bytes / 72) },
    (_, i) => `- { methods: [GET], path: /check-ins/${i}/**, scopes: [checkin:read] }\n`,
  ).join('');
const oneMapping = (bytes) =>
  `- {${Array.from({ length: Math.floor(bytes / 12) }, (_, i) => `a${i}: 1`).join(', ')}}\n`;

const plan = (text) => planManifest(parseManifest(text, 'keys.yaml'), { keys: [], catalogue }, { now: new Date() });

const CASES = {
  'plan a manifest of keys': [20_000, (size) => manifest(size, (i) => SCOPES[i % SCOPES.length]), plan, 2],
  'refuse a manifest of keys with unknown scopes': [
    20_000,
    (size) => manifest(size, (i) => `area-${i}:acton`),
    plan,
    2,
  ],
  'load rules of bytes': [MIB, rules, (text) => parseRules(text, 'rules.yaml'), 1],
  'refuse one mapping of bytes': [MIB, oneMapping, (text) => parseRules(text, 'rules.yaml'), 1],
};

function milliseconds(text, work) {
  const start = process.cpuUsage();
  try {
    work(text);
  } catch (error) {
    if (error.code !== 'usage') throw error;
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** How long the largest file takes, and how often as long as a quarter of it. */
export function yaml() {
  for (const [name, [largest, textOf, work, aim]] of Object.entries(CASES)) {
    const [quarter, whole] = [textOf(largest / 4), textOf(largest)];
    milliseconds(quarter, work); // compiled before it is measured
    const seconds = Array.from({ length: 3 }, () => milliseconds(whole, work) / 1000);
    const less = median(Array.from({ length: 3 }, () => milliseconds(quarter, work) / 1000));
    report(`${name}, ${largest.toLocaleString('en')}`, seconds, aim, 's');
    report(
      `${name}, four times as much`,
      seconds.map((each) => each / less),
      6,
    );
  }
}
