import { expect, test } from 'vitest';
import { problem } from '../../src/http/problem.js';
import { type Connection, refusalOfConnection, refuseConnection } from '../../src/http-server/client-error.js';

test.each([
  ['ECONNRESET', null],
  ['EPIPE', null],
  ['HPE_INVALID_EOF_STATE', null],
  ['HPE_HEADER_OVERFLOW', [431, 'headers_too_large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'timeout']],
  ['HPE_INVALID_METHOD', [400, 'malformed']],
  [undefined, [400, 'malformed']],
])('%s is answered as what it is, or not at all', (code, expected) => {
  const refusal = refusalOfConnection(Object.assign(new Error('x'), code === undefined ? {} : { code }));
  expect(refusal && [refusal.status, refusal.body.code]).toEqual(expected);
  expect(refusal?.body.detail ?? 'x').toMatch(/\S/);
});

function connection(writable: boolean): Connection & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    writable,
    end(text, done) {
      log.push(text);
      done();
    },
    destroy: () => log.push('destroyed'),
  };
}

test('a refusal without a response object is a whole response, and ends the connection', () => {
  const socket = connection(true);
  const refusal = problem(400, 'malformed', 'é', { 'X-More': 'y' });
  refuseConnection(socket, refusal);
  const [text = '', ...after] = socket.log;
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(head.split('\r\n')).toEqual([
    'HTTP/1.1 400 Bad Request',
    'Content-Type: application/problem+json',
    'Cache-Control: no-store',
    'X-More: y',
    `Content-Length: ${Buffer.byteLength(JSON.stringify(refusal.body))}`,
    'Connection: close',
  ]);
  expect(JSON.parse(body)).toEqual(refusal.body);
  expect(after).toEqual(['destroyed']);
});

test('a connection that takes nothing more is only closed', () => {
  const socket = connection(false);
  refuseConnection(socket, problem(400, 'malformed', 'x'));
  expect(socket.log).toEqual(['destroyed']);
});
