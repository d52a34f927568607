import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { KeysError } from '../../src/domain/errors.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { type Clock, IssueClient, readIssueAddress } from '../../src/issue-client/index.js';
import { type FaultyIssuer, faultyIssuer, type Issued, problem } from '../support/faulty-issuer.js';
import { refused } from '../support/manifests.js';

/** A clock whose waits are over at once. */
class SkippingClock implements Clock {
  readonly waits: number[] = [];
  /** Before this, no wait is over. */
  answered: Promise<unknown> = Promise.resolve();
  #at = 0;
  now = () => this.#at;
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.answered;
    this.waits.push(ms);
    this.#at += ms;
  }
}

interface Scene {
  readonly server: FaultyIssuer;
  readonly client: IssueClient;
  readonly clock: SkippingClock;
  readonly remarks: string[];
}

/** `renewed`: each request has an ID token of its own, as in a GitHub job. */
async function scene({ renewed = false, timeoutMs = 2000, now = () => new Date() } = {}): Promise<Scene> {
  const server = await faultyIssuer();
  const clock = new SkippingClock();
  const remarks: string[] = [];
  const token = server.token();
  const client = new IssueClient({
    address: readIssueAddress(server.url),
    tokens: { source: 'a test', renewed, next: async () => (renewed ? server.token() : token) },
    audience: server.url,
    timeoutMs,
    userAgent: 'test',
    now,
    clock,
    note: (text) => remarks.push(text),
    warn: (text) => remarks.push(text),
  });
  return { server, client, clock, remarks };
}

const WANTED = { scopes: ['checkin:read', 'plan:read'], ttl: '1h' };

const failure = (work: Promise<unknown>): Promise<KeysError> => refused(work);

describe('an answer that is not what was asked for', () => {
  const live = mintKeyString('live');
  const other = mintKeyString('test');
  test.each<[string, (issued: Issued) => object, RegExp]>([
    ['a live key', (issued) => ({ ...issued, key: live.keyString, mode: 'live' }), /not a test key/],
    ['the word live', (issued) => ({ ...issued, mode: 'live' }), /not a test key/],
    ['no mode', ({ mode: _, ...issued }) => issued, /not a test key/],
    ['a wrong checksum', (issued) => ({ ...issued, key: `${issued.key.slice(0, -1)}!` }), /no key string/],
    ['a key string with a line break', (issued) => ({ ...issued, key: `${issued.key}\nPATH=/tmp` }), /no key string/],
    ['no key string', (issued) => ({ ...issued, key: null }), /no key string/],
    ['the key string of another', (issued) => ({ ...issued, key: other.keyString }), /its id is not/],
    ['more scopes', (issued) => ({ ...issued, scopes: [...issued.scopes, 'facility:read'] }), /other scopes/],
    ['fewer scopes', (issued) => ({ ...issued, scopes: ['checkin:read'] }), /other scopes/],
    ['a scope twice', (issued) => ({ ...issued, scopes: ['checkin:read', 'checkin:read'] }), /other scopes/],
    ['scopes that are none', (issued) => ({ ...issued, scopes: 'checkin:read' }), /other scopes/],
    ['no end', (issued) => ({ ...issued, expiresAt: null }), /does not expire/],
    ['an end that is past', (issued) => ({ ...issued, expiresAt: '1970-01-01T00:00:00Z' }), /expired already/],
    ['an end without a zone', (issued) => ({ ...issued, expiresAt: '2026-11-26 10:00' }), /does not expire/],
    ['an end that never comes', (issued) => ({ ...issued, expiresAt: '9999-12-31T00:00:00Z' }), /lives longer/],
    ['a name with an escape', (issued) => ({ ...issued, name: 'ci\u001b]0;x\u0007' }), /its name is not/],
    ['a name that is a key string', (issued) => ({ ...issued, name: issued.key }), /its name is not/],
  ])('%s: nobody gets the key, and it is deleted', async (_, change, says) => {
    const { server, client } = await scene();
    server.next.POST.push((_call, reply, body) => server.issue(body, reply, change));
    const error = await failure(client.create(WANTED));
    expect(error.code).toBe('issue_unavailable');
    expect(error.message).toMatch(says);
    expect(error.message).toMatch(/was deleted: [0-9a-z]{12}/);
    expect(server.keys.size).toBe(0);
    for (const { key } of server.made) expect(`${error.message} ${error.hint}`).not.toContain(key.slice(23));
  });

  test('nothing: a key that it may have created expires by itself', async () => {
    const { server, client } = await scene();
    server.next.POST.push((_, reply) => reply.writeHead(201).end('{"__proto__":{"mode":"test"}}'));
    const { message } = await failure(client.create(WANTED));
    expect(message).toMatch(/no key string.*expires by itself$/);
    expect(server.count('DELETE')).toBe(0);
  });

  test('one that could not be deleted is named', async () => {
    const { server, client } = await scene();
    server.next.POST.push((_, reply, body) => server.issue(body, reply, (issued) => ({ ...issued, scopes: [] })));
    server.next.DELETE.push(problem(403, 'not_allowed', 'no'));
    expect((await failure(client.create(WANTED))).message).toContain(`could NOT be deleted: ${server.made[0]?.id}`);
  });

  test.each<[string, number, Record<string, string>, string | Buffer, RegExp]>([
    [
      'a page of a hotel',
      200,
      { 'content-type': 'text/html' },
      '<h1>Welcome</h1>',
      /not a server that issues keys \(HTTP 200\)/,
    ],
    ['a redirect', 307, { location: 'http://127.0.0.1:1/keys' }, '', /redirect \(HTTP 307\), which is not followed/],
    ['a compressed page', 404, { 'content-encoding': 'gzip' }, gzipSync('<h1>No</h1>'), /did not answer as it should/],
    ['an endless page', 404, {}, Buffer.alloc(1 << 20, ' '), /more than 65536 bytes/],
    [
      'a path without keys',
      404,
      { 'content-type': 'application/problem+json' },
      '{"code":"not_found","detail":"the paths are /keys"}',
      /is not where that server issues keys: the paths are/,
    ],
    ['a refusal of a proxy', 403, {}, '<h1>No</h1>', /refused the request \(HTTP 403\)/],
    [
      'a code that nobody knows',
      400,
      { 'content-type': 'application/problem+json' },
      '{"code":"toString"}',
      /HTTP 400/,
    ],
  ])('%s is named as what it is', async (_, status, headers, body, says) => {
    const { server, client } = await scene();
    server.next.POST.push((_call, reply) => reply.writeHead(status, headers).end(body));
    const { message } = await failure(client.create(WANTED));
    expect(message).toMatch(says);
    expect(server.count('POST')).toBe(1);
  });

  test('bytes that are no HTTP', async () => {
    const { server, client } = await scene();
    server.next.POST.push((call) => call.socket.end('SSH-2.0-OpenSSH\r\n'));
    expect((await failure(client.create(WANTED))).message).toMatch(/did not answer as it should \(HPE_/);
  });

  test('no message repeats the token that a server sends back', async () => {
    const { server, client } = await scene();
    server.next.POST.push((call, reply) =>
      problem(403, 'not_allowed', `you sent ${call.headers.authorization}, and ${server.token()}`)(call, reply, ''),
    );
    const error = await failure(client.create(WANTED));
    const said = `${error.message} ${error.hint} ${(error.cause as Error).message}`;
    expect(said).toContain('you sent Bearer \u2026, and \u2026');
    expect(said).not.toContain('eyJ');
  });
});

test('a machine whose clock is a year behind takes a key that ends in time', async () => {
  const { server, client } = await scene({ now: () => new Date(Date.now() - 31_536_000_000) });
  expect((await client.create(WANTED)).id).toBe(server.made[0]?.id);
});

describe('a server that is busy', () => {
  test.each([
    [429, 'too_many_keys'],
    [503, 'store_unavailable'],
    [503, 'provider_unavailable'],
  ])('%i %s: it is asked again when it says', async (status, code) => {
    const { server, client, clock, remarks } = await scene();
    server.next.POST.push(
      problem(status, code, 'wait', { 'retry-after': '7' }),
      problem(status, code, 'wait', {
        date: 'Thu, 26 Nov 2026 01:00:00 GMT',
        'retry-after': 'Thu, 26 Nov 2026 01:00:09 GMT',
      }),
      problem(status, code, 'wait'),
    );
    expect((await client.create(WANTED)).scopes).toEqual(WANTED.scopes);
    expect(clock.waits.map((ms) => Math.floor(ms / 1000))).toEqual([7, 9, expect.any(Number)]);
    expect(remarks[0]).toMatch(/asking again in 7 s$/);
    expect(server.keys.size).toBe(1);
  });

  test.each(['61', '999999999', 'Fri, 31 Dec 9999 00:00:00 GMT'])('one that wants %s is left', async (wait) => {
    const { server, client, clock } = await scene();
    const date = 'Thu, 26 Nov 2026 01:00:00 GMT';
    server.next.POST.push(problem(429, 'too_many_keys', '20 of 20 are alive', { date, 'retry-after': wait }));
    const { code, message, hint } = await failure(client.create(WANTED));
    expect(code).toBe('issue_unavailable');
    expect(message).toMatch(/as many keys as its rule allows: 20 of 20 are alive$/);
    expect(hint).toMatch(/try again in \d+ s/);
    expect(clock.waits).toEqual([]);
  });

  test('is not asked for ever', async () => {
    const { server, client } = await scene();
    for (let n = 0; n < 50; n++) server.next.POST.push(problem(429, 'too_many_keys', 'no', { 'retry-after': '0' }));
    await failure(client.create(WANTED));
    expect(server.count('POST')).toBe(8);
  });
});

describe('an answer that was lost', () => {
  const lost = (server: FaultyIssuer) =>
    server.next.POST.push((call, _, body) => {
      server.take(call);
      server.issue(body, { writeHead: () => ({ end: () => call.socket.destroy() }) } as never);
    });

  test('the same token tells which key was made, which is deleted; another token gives another key', async () => {
    const { server, client, remarks } = await scene({ renewed: true });
    lost(server);
    const key = await client.create(WANTED);
    expect(server.made.map(({ id }) => id)).toEqual([expect.any(String), key.id]);
    expect([...server.keys.keys()]).toEqual([key.id]);
    expect(remarks.join('\n')).toMatch(
      /may have created a key that nobody has, and that expires by itself; asking again/,
    );
    expect(remarks.at(-1)).toBe(`Deleted key ${server.made[0]?.id}, which ${server.url} had created and nobody got`);
    const [first, again, , other] = server.calls.map(({ token }) => token);
    expect([again === first, other === first]).toEqual([true, false]);
  });

  test.each<[string, (text: string) => [Record<string, string>, string | Buffer]]>([
    ['is compressed', (text) => [{ 'content-encoding': 'gzip' }, gzipSync(text)]],
    ['is too long', (text) => [{}, text + ' '.repeat(70_000)]],
    ['is cut where nobody said how long it is', (text) => [{ connection: 'close' }, text.slice(0, -9)]],
    ['goes on after its end', (text) => [{ 'content-length': String(text.length - 9) }, text]],
    ['is empty', () => [{}, '']],
  ])('one that %s is as good as lost: its key is deleted', async (_, mangle) => {
    const { server, client, remarks } = await scene();
    server.next.POST.push((call, _reply, body) => {
      server.take(call);
      const send = (text: string) => {
        const [headers, bytes] = mangle(text);
        const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
        call.socket.end(
          Buffer.concat([Buffer.from(`HTTP/1.1 201 Created\r\n${head.join('')}\r\n`), Buffer.from(bytes)]),
        );
      };
      server.issue(body, { writeHead: () => ({ end: send }) } as never);
    });
    const { message } = await failure(client.create(WANTED));
    expect(remarks[0]).toMatch(/may have created a key that nobody has, and that expires by itself; asking again/);
    expect(message).toMatch(/created a key, but its answer was lost; that key was deleted$/);
    expect([server.made.length, server.keys.size]).toEqual([1, 0]);
  });

  test('a key of another answer is never deleted: no id, one that is none, or a refusal without a lost answer', async () => {
    for (const keyId of [undefined, '../healthz', 7]) {
      const { server, client } = await scene({ renewed: true });
      lost(server);
      server.next.POST.push(problem(401, 'token_replayed', 'x', {}, { keyId }));
      expect((await client.create(WANTED)).id).toBe(server.made[1]?.id);
      expect(server.count('DELETE')).toBe(0);
    }
    const { server, client } = await scene();
    const key = await client.create(WANTED);
    await failure(client.create(WANTED));
    expect([...server.keys.keys()]).toEqual([key.id]);
  });

  test('where the token has expired meanwhile, another is used; where the key cannot be deleted, it is said to end', async () => {
    const late = await scene({ renewed: true });
    lost(late.server);
    late.server.next.POST.push(problem(401, 'token_expired', 'x'));
    expect((await late.client.create(WANTED)).id).toBe(late.server.made[1]?.id);
    const kept = await scene();
    lost(kept.server);
    kept.server.next.DELETE.push(problem(403, 'not_allowed', 'no'));
    expect((await failure(kept.client.create(WANTED))).message).toMatch(
      /its answer was lost; that key expires by itself$/,
    );
  });

  test('with one ID token, the second request tells that a key was made, or makes the first', async () => {
    const made = await scene();
    lost(made.server);
    const { code, message, hint } = await failure(made.client.create(WANTED));
    expect({ code, message, hint }).toEqual({
      code: 'issue_unavailable',
      message: expect.stringMatching(/created a key, but its answer was lost; that key was deleted$/),
      hint: expect.stringMatching(/another ID token/),
    });
    expect(made.server.keys.size).toBe(0);
    const not = await scene();
    not.server.next.POST.push((call) => call.socket.destroy());
    expect((await not.client.create(WANTED)).id).toBe(not.server.made[0]?.id);
  });

  test('twice is once too often', async () => {
    const { server, client } = await scene({ renewed: true });
    lost(server);
    lost(server);
    expect((await failure(client.create(WANTED))).message).toMatch(/was lost .*expires by itself$/);
    expect(server.count('POST')).toBe(2);
  });

  test('a job that is interrupted meanwhile hears of the key', async () => {
    const { server, client } = await scene();
    const controller = new AbortController();
    server.next.POST.push((call) => {
      controller.abort(new Error('interrupted by SIGTERM'));
      call.socket.destroy();
    });
    const error = await failure(client.create(WANTED, controller.signal));
    expect(error.message).toMatch(/^interrupted by SIGTERM before the answer of .* came$/);
    expect(error.hint).toBe('a key that it may have created expires by itself');
    expect(server.count('POST')).toBe(1);
  });

  test('one that does not come in time after the interruption is not waited for', async () => {
    const { server, client, clock } = await scene({ timeoutMs: 60_000 });
    const controller = new AbortController();
    server.next.POST.push(() => controller.abort(new Error('interrupted by SIGTERM')));
    const error = await failure(client.create(WANTED, controller.signal));
    expect(error.message).toMatch(/^interrupted by SIGTERM before the answer/);
    expect(clock.waits).toEqual([3000]);
  });

  test('one that comes after the interruption is taken, so that its key can be deleted', async () => {
    const { server, client, clock } = await scene();
    const controller = new AbortController();
    server.next.POST.push((_, reply, body) => {
      clock.answered = new Promise(() => {}); // the last wait is long
      controller.abort(new Error('interrupted by SIGTERM'));
      server.issue(body, reply);
    });
    expect((await client.create(WANTED, controller.signal)).id).toBe(server.made[0]?.id);
  });
});

describe('deleting', () => {
  test('a key that is gone is deleted', async () => {
    const { server, client } = await scene();
    const { id } = await client.create(WANTED);
    await client.delete(id);
    await client.delete(id);
    expect(server.keys.size).toBe(0);
  });

  test('is done again after a lost answer and a busy server, but not for ever', async () => {
    const { server, client, clock } = await scene({ renewed: true });
    const { id } = await client.create(WANTED);
    server.next.DELETE.push(
      (call) => call.socket.destroy(),
      problem(503, 'store_unavailable', 'x', { 'retry-after': '1' }),
    );
    await client.delete(id);
    expect(server.keys.size).toBe(0);
    server.next.DELETE.push(problem(503, 'store_unavailable', 'x', { 'retry-after': '11' }));
    const waits = clock.waits.length;
    await failure(client.delete(id));
    expect(clock.waits.length).toBe(waits);
  });

  test('takes no longer than the time that a cancelled job has, whatever the time for one answer', async () => {
    const { server, client } = await scene({ timeoutMs: 9000 });
    const { id } = await client.create(WANTED);
    const busy = (wait: string) => problem(503, 'store_unavailable', 'x', { 'retry-after': wait });
    server.next.DELETE.push(busy('9'), busy('0'), busy('0'), () => {}); // less than a second is left for the last
    expect((await failure(client.delete(id))).message).toMatch(/did not answer within (0\.\d|1) s$/);
    expect(server.count('DELETE')).toBe(4);
  });

  test.each([200, 302, 404, 401])('%i is not taken for done', async (status) => {
    const { server, client } = await scene();
    const { id } = await client.create(WANTED);
    server.next.DELETE.push((_, reply) => reply.writeHead(status).end());
    await failure(client.delete(id));
  });
});

test('a server that nobody reaches has made nothing', async () => {
  const client = new IssueClient({
    address: readIssueAddress('http://127.0.0.1:1'),
    tokens: { source: 'a test', renewed: false, next: async () => 'a.b.c' },
    audience: 'x',
    timeoutMs: 1000,
    userAgent: 'test',
    now: () => new Date(),
    clock: new SkippingClock(),
    note() {},
    warn() {},
  });
  const { message, hint } = await failure(client.create(WANTED));
  expect(message).toMatch(/^http:\/\/127.0.0.1:1 cannot be reached \(ECONNREFUSED\)$/);
  expect(hint).toMatch(/nothing was changed/);
});
