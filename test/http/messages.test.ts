import { expect, test } from 'vitest';
import { faultWords } from '../../src/http/fault-words.js';
import { foreignText } from '../../src/http/foreign-text.js';
import { isLoopback } from '../../src/http/loopback.js';
import { TransportError } from '../../src/http/transport.js';

test.each([
  ['unreachable', 'ECONNREFUSED', /^S cannot be reached \(ECONNREFUSED\)$/, /address.*nothing was changed/],
  ['untrusted', 'CERT_EXPIRED', /does not trust.*S \(CERT_EXPIRED\)$/, /NODE_EXTRA_CA_CERTS/],
  ['broken', 'ECONNRESET', /^the connection to S was lost \(ECONNRESET\)$/, /^try again$/],
  ['silent', 'did not answer within 5 s', /^S did not answer within 5 s$/, /--timeout/],
  ['garbled', 'HPE_X', /^S did not answer as it should \(HPE_X\)$/, /proxy/],
] as const)('a request that ends %s is told with the name of the server and the next step', (fault, why, message, hint) => {
  expect(faultWords(new TransportError(fault, why), 'S')).toEqual({
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});

test('the words of a server are shown without tokens, key strings, controls and all beyond 500 characters', () => {
  const key = 'unlk_test_0123456789ab_abcdefghijkl';
  const said = `a secret b secret eyJhbGciOiJ9.eyJhIjoxfQ.sig ${key} \u001b[2J`;
  expect(foreignText(said, ['secret', undefined, ''])).toBe('a … b … … unlk_test_0123456789ab_… \\u{1b}[2J');
  expect(foreignText('x'.repeat(501), [])).toBe('x'.repeat(500));
});

test.each([
  ['localhost', true],
  ['::1', true],
  ['127.0.0.1', true],
  ['127.10.20.255', true],
  ['', false],
  ['localhost.example', false],
  ['a127.0.0.1', false],
  ['127.0.0.1.example', false],
  ['128.0.0.1', false],
  ['::2', false],
])('%j is this machine: %j', (host, is) => {
  expect(isLoopback(host)).toBe(is);
});
