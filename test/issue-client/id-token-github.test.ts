import { describe, expect, test } from 'vitest';
import { githubIdTokens } from '../../src/issue-client/id-token-github.js';
import { type FaultyIssuer, faultyIssuer } from '../support/faulty-issuer.js';
import { refused } from '../support/manifests.js';
import { refusal } from '../support/refusal.js';

const job = (url: string) => ({
  url,
  requestToken: 'request-token-of-the-runner',
  audience: 'https://keys.acme.example/a?b&c',
  timeoutMs: 2000,
  userAgent: 'test',
  clock: { now: () => 0, wait: async () => {} },
});

const tokensOf = (server: FaultyIssuer) => githubIdTokens(job(server.github.ACTIONS_ID_TOKEN_REQUEST_URL ?? ''));

describe("GitHub's service for ID tokens", () => {
  test('is asked for the audience, beside what its URL has already', async () => {
    const server = await faultyIssuer();
    const token = await tokensOf(server).next();
    const asked = new URL(server.calls[0]?.path ?? '', server.url).searchParams;
    expect(Object.fromEntries(asked)).toEqual({ 'api-version': '2.0', audience: 'https://keys.acme.example/a?b&c' });
    expect(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).aud).toBe(asked.get('audience'));
  });

  test('that fails for a moment is asked again, but not for ever', async () => {
    const server = await faultyIssuer();
    server.next.GET.push(
      (_, reply) => reply.writeHead(500).end(),
      (_, reply) => reply.writeHead(429).end(),
      (call) => call.socket.destroy(),
    );
    await tokensOf(server).next();
    for (let n = 0; n < 9; n++) server.next.GET.push((_, reply) => reply.writeHead(503).end());
    const before = server.count('GET');
    expect(await refused(tokensOf(server).next())).toMatchObject({ code: 'issue_unavailable' });
    expect(server.count('GET') - before).toBe(4);
  });

  test.each<[string, number, Record<string, string>, string, RegExp]>([
    ['a redirect', 302, { location: 'http://127.0.0.1:1/' }, '', /gave no ID token \(HTTP 302\)/],
    ['a refusal', 403, {}, 'request-token-of-the-runner', /gave no ID token \(HTTP 403\)/],
    ['a page', 200, {}, '<h1>hello</h1>', /answered without an ID token/],
    ['null', 200, {}, 'null', /answered without an ID token/],
    ['no value', 200, {}, '{"count":1}', /answered without an ID token/],
    [
      'a value that is no token',
      200,
      {},
      '{"value":"a b.c\\r\\nX: y"}',
      /does not hold an ID token, so nothing was sent/,
    ],
    ['a token that is too long', 200, {}, `{"value":"aa.${'b'.repeat(13_000)}.cc"}`, /does not hold an ID token/],
    ['too much', 200, {}, ' '.repeat(70_000), /more than 65536 bytes/],
  ])('with %s: no token, and no secret in the message', async (_, status, headers, body, says) => {
    const server = await faultyIssuer();
    server.next.GET.push((_call, reply) => reply.writeHead(status, headers).end(body));
    const error = await refused(tokensOf(server).next());
    expect(error.message).toMatch(says);
    expect(`${error.message} ${error.hint}`).not.toContain('request-token');
    expect(server.count('GET')).toBe(1);
  });

  test.each(['http://pipelines.example/token', 'ftp://127.0.0.1/', 'token', ''])('at %j is not asked', (url) => {
    expect(refusal(() => githubIdTokens(job(url)))).toMatchObject({ code: 'unauthorized' });
  });
});
