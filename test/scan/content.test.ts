import { appendFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { searchPieces } from '../../src/scan/content.js';
import { searchFile } from '../../src/scan/file-search.js';
import { READ } from '../../src/scan/read-flags.js';
import { zipOf } from '../support/scan-scenes.js';

const { keyString: KEY } = mintKeyString('live');

async function filesIn(pieces: Iterable<Buffer>): Promise<string[]> {
  const files: string[] = [];
  for await (const each of searchPieces('f', pieces)) files.push(each.kind === 'hit' ? each.file : each.why);
  return files;
}

const bytewise = (bytes: Buffer) => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));

test('an archive is recognised, however small the pieces are that it comes in', async () => {
  expect(await filesIn(bytewise(gzipSync(KEY)))).toEqual(['f!unpacked']);
  expect(await filesIn(bytewise(zipOf([['a', Buffer.from(KEY)]])))).toEqual(['f!a']);
  expect(await filesIn(bytewise(Buffer.concat([Buffer.from('#!'), zipOf([['a', Buffer.from(KEY)]])])))).toEqual([
    'f!a',
  ]);
  expect(await filesIn([])).toEqual([]);
});

test.each([
  1023, 1024, 1025, 5000,
])('a zip file behind %i other bytes is found, wherever the pieces end', async (count) => {
  const bytes = Buffer.concat([Buffer.alloc(count, 'P'), zipOf([['a', Buffer.from(KEY)]])]);
  for (const at of [-3, -2, -1, 0, 1, 2, 3, 4, 5])
    expect(await filesIn([bytes.subarray(0, count + at), bytes.subarray(count + at)]), `${at}`).toEqual(['f!a']);
});

test('a member of a zip file that was written as a stream, without its size, is unpacked', async () => {
  const header = Buffer.alloc(30);
  header.write('PK\u0003\u0004', 'latin1');
  header.writeUInt16LE(8, 6); // the size comes behind
  header.writeUInt16LE(4, 26);
  const member = Buffer.concat([
    header,
    Buffer.from('a.gz'),
    gzipSync(KEY),
    Buffer.from('PK\u0007\u0008'),
    Buffer.alloc(12),
  ]);
  expect(await filesIn([member])).toEqual(['f!a.gz!unpacked']);
  const deflated = zipOf([['b', Buffer.from(KEY)]]);
  expect(deflated.includes(deflateRawSync(KEY))).toBe(true);
  expect(await filesIn([member, deflated])).toEqual(['f!a.gz!unpacked', 'f!b']);
});

test('a file is searched as long as it was when it was opened', async () => {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'unlk-scan-')), 'log');
  writeFileSync(file, Buffer.concat([Buffer.from(KEY), Buffer.alloc(3 << 20, '\n')]));
  let hits = 0;
  for await (const each of searchFile(Buffer.from(file), READ)) {
    hits += 1;
    expect(each.kind).toBe('hit');
    if (hits < 50) appendFileSync(file, Buffer.concat([Buffer.from(KEY), Buffer.alloc(3 << 20, '\n')]));
  }
  expect(hits).toBe(1);
});
