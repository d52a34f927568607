import { expect, test } from 'vitest';
import { readIssueAddress } from '../../src/issue-client/index.js';
import { refusal } from '../support/refusal.js';

const address = (location: string, origin: string, secure: boolean, host: string, port: number, path: string) => ({
  location,
  origin,
  secure,
  host,
  port,
  path,
});

test.each([
  [
    'https://keys.acme.example',
    address('https://keys.acme.example', 'https://keys.acme.example', true, 'keys.acme.example', 443, '/keys'),
  ],
  [
    'https://Keys.Acme.example:8443/ci/',
    address(
      'https://keys.acme.example:8443/ci',
      'https://keys.acme.example:8443',
      true,
      'keys.acme.example',
      8443,
      '/ci/keys',
    ),
  ],
  [
    'https://keys.acme.example/a/b//',
    address('https://keys.acme.example/a/b', 'https://keys.acme.example', true, 'keys.acme.example', 443, '/a/b/keys'),
  ],
  ['http://localhost', address('http://localhost', 'http://localhost', false, 'localhost', 80, '/keys')],
  [
    'http://127.0.0.1:8787/',
    address('http://127.0.0.1:8787', 'http://127.0.0.1:8787', false, '127.0.0.1', 8787, '/keys'),
  ],
  ['http://[::1]:1', address('http://[::1]:1', 'http://[::1]:1', false, '::1', 1, '/keys')],
  [
    'https://[2001:db8::1]',
    address('https://[2001:db8::1]', 'https://[2001:db8::1]', true, '2001:db8::1', 443, '/keys'),
  ],
])('%s is read', (text, expected) => {
  expect(readIssueAddress(text)).toEqual(expected);
});

test.each([
  ['keys.acme.example', /"keys.acme.example" is not a URL$/, /--from https/],
  ['https://keys.acme.example/ x', /is not a URL/, /--from https/],
  ['https://keys.acme\n.example', /is not a URL/, /--from https/],
  ['', /--from "" is not a URL/, /--from https/],
  ['libsql://keys.acme.example', /"libsql:\/\/keys.acme.example" is not an https:\/\/ URL/, /--from https/],
  ['https://me@keys.acme.example', /"https:\/\/…@keys.acme.example" contains a user name/, /remove it/],
  ['https://:hunter2@keys.acme.example', /"https:\/\/…@keys.acme.example" contains a user name/, /remove it/],
  ['https://a@hunter2@keys.acme.example/x', /"https:\/\/…@keys.acme.example\/x" contains a user name/, /remove it/],
  ['https://me:hun/hunter2@keys.acme.example', /"https:\/\/…@keys.acme.example" is not a URL/, /--from https/],
  ['https://me:hunter2?@keys.acme.example', /"https:\/\/…@keys.acme.example" is not a URL/, /--from https/],
  ['https:\\\\me:hunter2@keys.acme.example', /"https:\\\\…@keys.acme.example" contains a user name/, /remove it/],
  ['https:me:hunter2@keys.acme.example', /"https:…@keys.acme.example" contains a user name/, /remove it/],
  ['https://me:hunter2@[', /"https:\/\/…@\[" is not a URL/, /--from https/],
  [
    'https://keys.acme.example/x?token=hunter2',
    /"https:\/\/keys.acme.example\/x\?…" has parameters/,
    /without \? and #/,
  ],
  ['https://keys.acme.example#hunter2', /"https:\/\/keys.acme.example\?…" has parameters/, /without \? and #/],
  ['https://keys.acme.example?a\nhunter2', /"https:\/\/keys.acme.example\?…" is not a URL/, /--from https/],
  ['http://keys.acme.example', /would be accessed unencrypted/, /use https/],
  ['http://localhost.acme.example', /would be accessed unencrypted/, /use https/],
  ['http://[::2]', /would be accessed unencrypted/, /use https/],
])('%j is refused, and no credential in it is repeated', (text, message, hint) => {
  const error = refusal(() => readIssueAddress(text));
  expect(error).toMatchObject({ code: 'usage', hint: expect.stringMatching(hint) });
  expect(error.message).toMatch(message);
  expect(`${error.message} ${error.hint}`).not.toContain('hunter2');
});
