import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../src/cli/settings/config-parse.js';
import { parseHead } from '../src/domain/audit.js';
import { isKeysError } from '../src/domain/errors.js';
import { parseDuration, parseExpiry } from '../src/domain/expiry.js';
import { readDescription, readName } from '../src/domain/key-name.js';
import { mintKeyString, parseKeyString } from '../src/domain/key-parts.js';
import { holdsKeyString, redactKeyStrings } from '../src/domain/key-string.js';
import { parseLabels } from '../src/domain/labels.js';
import { readOperationId } from '../src/domain/operation.js';
import { parseRateLimit } from '../src/domain/rate-limit.js';
import { resolveScopes } from '../src/domain/scopes.js';
import { quoted, safeText } from '../src/domain/text.js';
import { extractKey } from '../src/http/authorization.js';
import { parseManifest } from '../src/manifest/parse.js';
import { Finder } from '../src/scan/finder.js';
import { isIgnored, rulesAt } from '../src/scan/gitignore.js';
import { parseRules, scopesFor } from '../src/server/rules.js';
import { loggedPath, readTarget } from '../src/server/target.js';

// What others wrote is read in a time that grows with its length, whatever was written. Time is that of the processor, so that a busy
// machine fails nothing: what is not linear takes minutes.

const MIB = 1_048_576;

/** Runs something that may refuse its input, and hands back the milliseconds that the processor worked on it. */
function cost(run: () => unknown): number {
  const start = process.cpuUsage();
  try {
    run();
  } catch (error) {
    if (!isKeysError(error)) throw error;
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Texts of `length` that make patterns and parsers work: nearly right, again and again, and wrong at the end. */
function hostileTexts(length: number): string[] {
  const { keyString } = mintKeyString('live');
  const pieces = ['a', ' ', '1', '-', ',', '.', ':', '/', '%41', '\u001b[', '\u0301', '\u202e', 'bearer, ', 'Bearer '];
  pieces.push(
    'unlk_',
    'unlk_live_',
    keyString,
    keyString.slice(0, 60),
    'checkin:read,',
    'checkin:*',
    'a=b,',
    '1h',
    '{"a":',
  );
  return pieces.flatMap((piece) => [piece.repeat(Math.ceil(length / piece.length)).slice(0, length)]);
}

describe('a quarter of a mebibyte of anything', () => {
  const READERS: Record<string, (text: string) => unknown> = {
    parseKeyString: (text) => parseKeyString(text),
    holdsKeyString: (text) => holdsKeyString(text),
    redactKeyStrings: (text) => redactKeyStrings(`${text}!`),
    'a header': (text) => extractKey({ authorization: text, xApiKey: undefined, url: '/' }),
    'a query': (text) => extractKey({ authorization: undefined, xApiKey: undefined, url: `/?${text}` }),
    'a name': (text) => readName(text),
    'a description': (text) => readDescription(text),
    labels: (text) => parseLabels([text]),
    'an expiry': (text) => parseExpiry(text, new Date(0)),
    'a duration': (text) => parseDuration(text, 'x'),
    'a rate limit': (text) => parseRateLimit(text),
    scopes: (text) => resolveScopes(text.split(',').slice(0, 1000), []),
    'an operation id': (text) => readOperationId(text),
    'the head of a log': (text) => parseHead(text),
    safeText: (text) => safeText(text),
    quoted: (text) => quoted(text),
    'a path': (text) => readTarget('GET', `/${text}`),
    'a path in a log': (text) => loggedPath(`/${text}`),
    'a scanned file': (text) => new Finder().feed(Buffer.from(text)),
    rules: (text) => parseRules(text, 'rules.yaml'),
    'a manifest': (text) => parseManifest(text, 'keys.yaml'),
    'a configuration': (text) => parseConfig(text.slice(0, 65_536), { file: 'config.yaml', home: () => '/' }),
  };

  test.each(Object.entries(READERS))('%s', (_, read) => {
    for (const text of hostileTexts(MIB / 4))
      expect(
        cost(() => read(text)),
        JSON.stringify(text.slice(0, 20)),
      ).toBeLessThan(2000);
  });
});

describe('a YAML file', () => {
  const bomb = (levels: number) =>
    `a0: &a0 [x, x, x]\n${Array.from({ length: levels }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(10)}]\n`).join('')}`;
  const many = (line: (n: number) => string, bytes: number) => {
    let text = '';
    for (let n = 0; text.length < bytes; n++) text += line(n);
    return text.slice(0, text.lastIndexOf('\n', bytes) + 1);
  };

  test.each([
    ['aliases that double', bomb(30)],
    ['lists in lists', '['.repeat(200_000)],
    ['mappings in mappings', '{a: '.repeat(100_000)],
    ['indented mappings', Array.from({ length: 1200 }, (_, n) => `${' '.repeat(n)}a:\n`).join('')],
    ['many documents', '---\n'.repeat(20_000)],
    ['many anchors', many((n) => `- &a${n} x\n`, 30_000)],
    ['one name again and again', 'a: 1\n'.repeat(3000)],
    ['a long text over many lines', `a: "${'x\n '.repeat(100_000)}`],
    ['comments', '# x\n'.repeat(10_000)],
    ['many tags', '- !!str !x a\n'.repeat(1000)],
  ])('%s', (_, text) => {
    expect(cost(() => parseRules(text, 'rules.yaml'))).toBeLessThan(5000);
    expect(cost(() => parseManifest(text, 'keys.yaml'))).toBeLessThan(5000);
  });

  test('of thousands of rules decides about a path of 32 KiB', () => {
    const text = many(
      (n) => `- { methods: [GET], path: /${'a/'.repeat(12)}*/b${n}/**, scopes: [plan:read] }\n`,
      MIB / 4,
    );
    let rules: ReturnType<typeof parseRules> = [];
    expect(cost(() => (rules = parseRules(text, 'rules.yaml')))).toBeLessThan(5000);
    expect(rules.length).toBeGreaterThan(1500);
    for (const uri of [
      `/${'a/'.repeat(16_000)}`,
      `/${'%61/'.repeat(8000)}`,
      `/${'a'.repeat(32_000)}`,
      `/${'a/'.repeat(12)}x/b`,
    ]) {
      const target = readTarget('GET', uri);
      expect(cost(() => target && scopesFor(rules, target))).toBeLessThan(500);
    }
  });
});

describe('a .gitignore', () => {
  function ignoring(patterns: string): (file: string) => boolean {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'unlk-ignore-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    mkdirSync(path.join(dir, '.git'));
    writeFileSync(path.join(dir, '.gitignore'), patterns);
    const rules = rulesAt(dir, [], true);
    return (file) => isIgnored(rules, path.join(dir, file), false);
  }

  const deep = `${'a/'.repeat(150)}c`;

  test.each([
    ['many directories at any depth', `${'**/a/'.repeat(12)}b`, deep],
    ['the same, taken back', `!${'**/a/'.repeat(12)}b`, deep],
    ['many stars in a name', `${'a*'.repeat(30)}b`, 'a'.repeat(250)],
    ['many question marks', `${'?*'.repeat(60)}b`, 'a'.repeat(250)],
    ['a pattern of a mebibyte', 'x'.repeat(MIB), 'x'],
    ['a pattern that is too long to compile', 'x'.repeat(200_000), 'x'],
    ['brackets', '[a'.repeat(400), deep],
    ['very many patterns', 'x\n'.repeat(500_000), deep],
  ])('%s', (_, patterns, file) => {
    const isOne = ignoring(patterns);
    let ignored = true;
    expect(cost(() => (ignored = isOne(file)))).toBeLessThan(1000);
    expect(ignored).toBe(false);
  });

  test('with a pattern that is passed over keeps its other patterns, unless it takes files back', () => {
    const slow = `${'**/a/'.repeat(12)}b`;
    expect(ignoring(`${slow}\n*.log\r\n`)('x.log')).toBe(true);
    expect(ignoring(`*.log\n!${slow}\n`)('x.log')).toBe(false);
    expect(ignoring('**/a/**/b\n')('a/x/b')).toBe(true);
  });
});

test('a scan of text that is made to cost much costs no more than its length', () => {
  const time = (text: string, bytes: number) => {
    const finder = new Finder();
    const whole = Buffer.from(text.repeat(Math.ceil(bytes / text.length)));
    return cost(() => [...finder.feed(whole), ...finder.end()]);
  };
  const dear = [
    'unlk',
    'unlk\n',
    'unlk_live_',
    'u\0n\0l\0k\0',
    'u\0n\0l\0k\0_\0',
    'dW5sa19',
    'dW5sa19saXZlX',
    'W5s',
    '1bmxrX',
  ];
  for (const text of [...dear, 'unlk%255f', 'unlk\u001b[m', `unlk_live_${'\n'.repeat(2000)}`]) {
    const short = Math.max(time(text, 50_000), time(text, 50_000), 20);
    expect(time(text, 500_000), JSON.stringify(text)).toBeLessThan(40 * short);
  }
});
