import { expect, test } from 'vitest';
import { holdsToken, withoutTokens } from '../../src/domain/tokens.js';

const HEADER = 'eyJhbGciOiJFZERTQSJ9';
const BODY = 'eyJhIjoicnciLCJpYXQiOjE3NjM4OTIwMDB9';
const TOKEN = `${HEADER}.${BODY}.c2lnbmF0dXJlLW9m`;

test.each([
  [`Bearer ${TOKEN} refused`, 'Bearer … refused'],
  [`${TOKEN},${TOKEN}`, '…,…'],
  [`an unsigned one: ${HEADER}.${BODY}.`, 'an unsigned one: …'],
  [`one that was cut: ${HEADER}.${BODY}`, 'one that was cut: …'],
])('%s: the token is masked', (text, masked) => {
  expect(holdsToken(text)).toBe(true);
  expect(withoutTokens(text)).toBe(masked);
});

test.each([
  '',
  'unlockos-keys list',
  'eyJ.a.b',
  'hey.eyJust.',
  `${HEADER} ${BODY}`,
  `x${BODY}`,
])('%j holds none', (text) => {
  expect(holdsToken(text)).toBe(false);
  expect(withoutTokens(text)).toBe(text);
});
