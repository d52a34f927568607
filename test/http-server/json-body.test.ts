import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { problem } from '../../src/http/problem.js';
import { isStringList, MAX_BODY_BYTES, readJsonBody } from '../../src/http-server/json-body.js';

const TYPE = { 'content-type': 'application/json' };

/** A request with these headers whose body comes in these pieces, and how many of them were taken. */
function request(pieces: readonly (string | Buffer)[], headers: Record<string, string> = TYPE) {
  let taken = 0;
  const body = Readable.from(
    (function* () {
      for (const piece of pieces) {
        taken += 1;
        yield Buffer.from(piece);
      }
    })(),
    { objectMode: true, highWaterMark: 1 },
  );
  return { call: Object.assign(body, { headers }) as unknown as IncomingMessage, taken: () => taken };
}

async function read(pieces: readonly (string | Buffer)[], headers?: Record<string, string>): Promise<unknown> {
  const found = await readJsonBody(request(pieces, headers).call, (detail) => problem(400, 'no', detail));
  return 'ok' in found ? `${found.status} ${found.body.detail}` : found.object;
}

test.each([
  ['application/json'],
  ['Application/JSON'],
  ['application/json; charset=utf-8'],
  [' application/json ;x'],
])('a body of type %j is read', async (type) => {
  expect(await read(['{"a":', '"é', '"}'], { 'content-type': type })).toEqual({ a: 'é' });
});

test.each([
  [{}],
  [{ 'content-type': '' }],
  [{ 'content-type': 'text/plain' }],
  [{ 'content-type': 'application/json5' }],
  [{ 'content-type': 'text/plain; application/json' }],
])('one of type %j is not: a page of another site can send it', async (headers) => {
  expect(await read(['{}'], headers)).toBe('415 send the body as application/json');
});

const filled = (length: number) => `{"a":"${'x'.repeat(length - 8)}"}`;
const TOO_LARGE = `413 the body is larger than ${MAX_BODY_BYTES} bytes`;

test('a body has 8192 bytes at most, whatever it says of its length, and no more than that is read', async () => {
  expect(MAX_BODY_BYTES).toBe(8192);
  expect(await read([filled(8192)])).toEqual({ a: 'x'.repeat(8184) });
  expect(await read([filled(8193)])).toBe(TOO_LARGE);
  expect(await read([filled(8192)], { ...TYPE, 'content-length': '8192' })).toEqual({ a: 'x'.repeat(8184) });
  const announced = request(['{}'], { ...TYPE, 'content-length': '8193' });
  const refusal = await readJsonBody(announced.call, () => expect.unreachable());
  expect(refusal).toMatchObject({ status: 413, headers: { Connection: 'close' } });
  expect(announced.taken()).toBe(0);
  const endless = request(Array.from({ length: 1000 }, () => 'x'.repeat(1000)));
  expect(await readJsonBody(endless.call, () => expect.unreachable())).toMatchObject({ status: 413 });
  expect(endless.taken()).toBeLessThan(20);
});

test.each([
  ['', 'the body is not JSON'],
  ['{', 'the body is not JSON'],
  [Buffer.from('{"a":"\u00ff"}', 'latin1'), 'the body is not JSON'],
  ['[]', 'the body is not an object'],
  ['null', 'the body is not an object'],
  ['"x"', 'the body is not an object'],
  ['7', 'the body is not an object'],
  ['{"__proto__":{}}', 'the body has unknown properties'],
  ['{"a":1,"a":1}', 'the body has a property twice'],
  ['{"a":1,"\\u0061":2}', 'the body has a property twice'],
])('%j is refused', async (body, why) => {
  expect(await read([body])).toBe(`400 ${why}`);
});

test.each([
  [[], true],
  [['a', ''], true],
  [['a', 7], false],
  [[undefined], false],
  ['a', false],
  [{ length: 0 }, false],
  [undefined, false],
])('whether %j is a list of texts: %j', (value, is) => {
  expect(isStringList(value)).toBe(is);
});
