import { expect, onTestFinished, test } from 'vitest';
import { protect as express } from '../../src/adapters/express.js';
import { protect as fastify } from '../../src/adapters/fastify.js';
import { protect as hono } from '../../src/adapters/hono.js';
import { warnerOfFailures } from '../../src/adapters/warning.js';
import { protect as web } from '../../src/adapters/web.js';
import { KeysError } from '../../src/domain/errors.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { KeyVerifier } from '../../src/http/types.js';
import { refusal } from '../support/refusal.js';

const verifier: KeyVerifier = { verify: async () => ({ verdict: 'invalid' }) };
const ADAPTERS = Object.entries({ express, fastify, hono, web } as Record<string, (...args: never[]) => unknown>);

test.each(ADAPTERS)('protect of %s refuses options that it would ignore, when it is made', (_, protect) => {
  const call = protect as (...args: unknown[]) => unknown;
  for (const [args, names] of [
    [[verifier, { scope: ['plan:read'] }], 'unknown property "scope"'],
    [[verifier, ['plan:read']], 'protect: options'],
    [[verifier, 'plan:read'], 'protect: options'],
    [[verifier, null], 'protect: options'],
    [[verifier, { scopes: 'plan:read' }], 'options.scopes'],
    [[verifier, { scopes: [['plan:read']] }], 'options.scopes[0]'],
    [[verifier, { scopes: ['plan:*'] }], 'plan:*'],
    [[verifier, { onUnavailable: 'log' }], 'options.onUnavailable'],
    [[verifier, { address: '192.0.2.7' }], 'address'],
    [[{ scopes: ['plan:read'] }], 'verifier.verify'],
    [[undefined, { scopes: ['plan:read'] }], 'verifier.verify'],
    [[Promise.resolve(verifier)], 'verifier.verify'],
  ] as const)
    expect(refusal(() => call(...args))).toMatchObject({ code: 'usage', message: expect.stringContaining(names) });
});

function warnings(): string[] {
  const said: string[] = [];
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error) => void said.push(String(warning));
  onTestFinished(() => {
    process.emitWarning = emitWarning;
  });
  return said;
}

test('without onUnavailable the process warns, once for all routes of a verifier', async () => {
  const said = warnings();
  const down: KeyVerifier = {
    verify: async () => {
      throw new KeysError('store_unavailable', 'the server did not answer');
    },
  };
  const request = () =>
    new Request('http://localhost/', { headers: { authorization: `Bearer ${mintKeyString('test').keyString}` } });
  for (const protect of [web(down), web(down, { scopes: ['plan:read'] })])
    for (let i = 0; i < 3; i++) expect((await protect(request())).ok).toBe(false);
  expect(said).toHaveLength(1);
  expect(said[0]).toContain('503');
  expect(said[0]).toContain('store_unavailable: the server did not answer');
  const [heard, refused]: unknown[][] = [[], []];
  const tell = { onUnavailable: (error: unknown) => heard?.push(error), onRefused: () => refused?.push('refused') };
  await web(down, tell)(request());
  expect([said.length, heard?.length, refused]).toEqual([1, 1, []]); // without a verdict, nothing was refused
});

test('a warning a minute counts the others, and repeats no key string and no control character', () => {
  const said = warnings();
  let now = 0;
  const warn = warnerOfFailures(() => now);
  const { keyString, secret } = mintKeyString('live');
  warn(new Error(`no answer for ${keyString}\n\u001b[2J`));
  for (const seconds of [1, 30, 59.9]) {
    now = seconds * 1000;
    warn(new Error('again'));
  }
  now = 60_000;
  warn('a text');
  expect(said).toHaveLength(2);
  expect(said[0]).not.toContain(secret);
  expect(said[0]).not.toContain('\u001b');
  expect(said[1]).toContain('a text (and 3 more since the last warning)');
});
