import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { PATTERN, RULES } from '../../src/scan/rules.js';

const { keyString: KEY } = mintKeyString('live');

test.each([
  'gitleaks',
  'trufflehog',
  'secretlint',
  'github',
])("%s's rule finds every key string, and nothing of another form", (tool) => {
  const rule = RULES[tool] ?? '';
  const written = tool === 'secretlint' ? JSON.parse(rule).rules[0].options.patterns[0].pattern.slice(1, -1) : rule;
  expect(written).toContain(PATTERN);
  const pattern = new RegExp(PATTERN);
  const forms = [
    (key: string) => `key=${key};`,
    (key: string) => JSON.stringify(`env:\n${key}`),
    (key: string) => encodeURIComponent(`?a=${key}&b`),
    (key: string) => `x${key}x`,
    (key: string) => `\u001b[32m${key}\u001b[0m`,
    ...['\\_', '%5F', '%5f', '=5F', '\\u005f'].map((escaped) => (key: string) => key.replaceAll('_', escaped)),
  ];
  for (let i = 0; i < 1000; i++) {
    const { keyString } = mintKeyString(i % 2 ? 'live' : 'test');
    expect(pattern.test(forms[i % forms.length]?.(keyString) ?? ''), forms[i % forms.length]?.(keyString)).toBe(true);
  }
  const near = fc.oneof(
    fc.integer({ min: 0, max: 22 }).map((at) => `${KEY.slice(0, at)}!${KEY.slice(at + 1)}`),
    fc.integer({ min: 1, max: 60 }).map((length) => KEY.slice(0, length)),
    fc.constantFrom('i', 'l', 'o', 'u', 'A').map((letter) => `${KEY.slice(0, 12)}${letter}${KEY.slice(13)}`),
    fc.string({ maxLength: 80 }),
  );
  fc.assert(
    fc.property(near, (each) => !pattern.test(each)),
    { numRuns: 2000 },
  );
});
