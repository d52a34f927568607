import { describe, expect, test } from 'vitest';
import { isStoreUrl, parseStoreUrl } from '../../../src/store/remote/address.js';
import { refusal } from '../../support/refusal.js';

const read = (text: string, allowHttp = false) => parseStoreUrl(text, { allowHttp });

describe('the URL of a remote store', () => {
  test.each([
    ['libsql://keys-acme.turso.io', 'libsql://keys-acme.turso.io', true, 'keys-acme.turso.io', 443, '/v2/pipeline'],
    ['https://db.example:8443/', 'https://db.example:8443', true, 'db.example', 8443, '/v2/pipeline'],
    ['wss://db.example/a/b/', 'wss://db.example/a/b', true, 'db.example', 443, '/a/b/v2/pipeline'],
    ['HTTPS://DB.Example', 'https://db.example', true, 'db.example', 443, '/v2/pipeline'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080', false, '127.0.0.1', 8080, '/v2/pipeline'],
    ['http://localhost', 'http://localhost', false, 'localhost', 80, '/v2/pipeline'],
    ['ws://[::1]:8080', 'ws://[::1]:8080', false, '::1', 8080, '/v2/pipeline'],
    ['libsql://127.0.0.1:8080?tls=0', 'libsql://127.0.0.1:8080?tls=0', false, '127.0.0.1', 8080, '/v2/pipeline'],
    ['http://127.255.0.9', 'http://127.255.0.9', false, '127.255.0.9', 80, '/v2/pipeline'],
  ])('%s', (text, location, secure, host, port, path) => {
    expect(isStoreUrl(text)).toBe(true);
    expect(read(text)).toEqual({ location, secure, host, port, path });
    expect(read(location)).toEqual(read(text));
  });

  test.each([
    'http://db.example',
    'ws://10.0.0.7:8080',
    'http://127.0.0.1.example',
    'libsql://db.example:8080?tls=0',
  ])('%s would go over the network unencrypted: only where that is allowed', (text) => {
    expect(refusal(() => read(text)).message).toMatch(/unencrypted/);
    expect(read(text, true).secure).toBe(false);
  });

  test.each([
    ['another scheme', 'postgres://db.example/keys'],
    ['a file', 'file:///etc/passwd'],
    ['no host', 'https://'],
    ['a blank', 'https://db.example/a b'],
    ['a line break', 'https://db.example\n'],
    ['a parameter', 'https://db.example?x=1'],
    ['a fragment', 'https://db.example#x'],
    ['tls neither on nor off', 'libsql://db.example?tls=maybe'],
    ['a wrong port', 'https://db.example:99999'],
    ['prototype', '__proto__://db.example'],
  ])('%s is refused', (_, text) => {
    expect(refusal(() => read(text, true)).code).toBe('usage');
  });

  test.each([
    'https://ops:hunter2@db.example',
    'https://hunter2@db.example',
    'https://:hunter2@db.example',
    'libsql://db.example?authToken=hunter2',
    'libsql://db.example?tls=1&authToken=hunter2',
    'postgres://ops:hunter2@db.example',
    'https://ops:hunter2@db.example:99999',
    'https://db.example#hunter2',
    'https://ops:hun/hunter2@db.example',
    'https://ops:hunter2?@db.example',
    'https://ops:hunter2#x@db.example',
    'https:\\\\ops:hunter2@db.example',
    'https:/ops:hunter2@db.example',
    ' https://ops:hunter2@db.example',
  ])('a credential in %s is refused and not repeated', (text) => {
    const { code, message, hint } = refusal(() => read(text, true));
    expect(code).toBe('usage');
    expect(`${message} ${hint}`).not.toContain('hunter2');
  });

  test.each([
    'keys.db',
    './a/b.db',
    '/var/lib/keys.db',
    'C:\\keys.db',
    'a:b',
    'libsql:x',
    '',
  ])('%j is a path', (text) => {
    expect(isStoreUrl(text)).toBe(false);
  });
});
