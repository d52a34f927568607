import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openSignedHead, signHead } from '../../src/domain/signed-head.js';
import { NoteSigner, NoteVerifier } from '../../src/domain/signed-note.js';
import { refusal } from '../support/refusal.js';

// The example of golang.org/x/mod/sumdb/note.
const PRIVATE = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const PUBLIC = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const NOTE = `${TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
const peter = NoteSigner.parse(`${PRIVATE}\n`, 'the key');
const verifier = NoteVerifier.parse(PUBLIC);
const mine = NoteSigner.generate('example.com/keys');

test('keys and notes are those of Go', () => {
  // Read here as well as above, so that a mutation of the reader is noticed by this test.
  expect(NoteSigner.parse(` ${PRIVATE}\n`, 'the key').secret()).toBe(PRIVATE);
  expect(NoteVerifier.parse(PUBLIC).toString()).toBe(PUBLIC);
  expect(peter.secret()).toBe(PRIVATE);
  expect(peter.verifier.toString()).toBe(PUBLIC);
  expect(peter.sign(TEXT)).toBe(NOTE);
  expect(verifier.open(NOTE)).toBe(TEXT);
  const example = NoteVerifier.parse('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k');
  const note =
    'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
  expect(example.open(note)).toBe('This is an example message.\n');
});

test('a note with signatures of others is good, and one of another key of that name is not', () => {
  const both = `${NOTE}${mine.sign(TEXT).split('\n\n')[1]}`;
  expect(verifier.open(both)).toBe(TEXT);
  expect(mine.verifier.open(both)).toBe(TEXT);
  expect(mine.verifier.open(NOTE)).toBeNull();
  expect(verifier.open(NoteSigner.generate('PeterNeumann').sign(TEXT))).toBeNull();
  expect(verifier.open(NOTE.replace('— PeterNeumann', '— PaulNeumann'))).toBeNull();
});

test('a note in which anything was changed is not signed, or is no note', () => {
  fc.assert(
    fc.property(fc.nat(NOTE.length - 1), fc.constantFrom('a', 'Z', '0', ' ', '\n', '=', '\r'), (at, char) => {
      const other = NOTE.slice(0, at) + char + NOTE.slice(at + 1);
      if (other === NOTE) return;
      let text: string | null = null;
      try {
        text = verifier.open(other);
      } catch (error) {
        expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining('not a signed note') });
      }
      expect(text).toBeNull();
    }),
  );
});

describe('what is refused', () => {
  test.each([
    ['', /no signature/],
    [TEXT, /no signature/],
    [NOTE.slice(0, -1), /no signature/],
    [NOTE.replaceAll('\n', '\r\n'), /other line ends/],
    [`${NOTE}rubbish\n`, /not a signature/],
    [`\u0007${NOTE}`, /control characters/],
    [NOTE + NOTE.split('\n\n')[1]?.repeat(100), /too many/],
  ])('the note %j', (note, why) => {
    expect(() => verifier.open(note)).toThrow(why);
  });

  test.each([
    '',
    'a',
    PRIVATE,
    PUBLIC.replace('c74f', 'c74e'),
    PUBLIC.replace('ARpc', 'AhpC'),
    `${PUBLIC} `,
    `x${PUBLIC}`,
  ])('the public key %j', (key) => expect(() => NoteVerifier.parse(key)).toThrow(/is not a public key/));

  test.each([
    '',
    PUBLIC,
    PRIVATE.replace('c74f', 'c74e'),
    `${PRIVATE}\n${PRIVATE}`,
  ])('the private key %j, without repeating it', (key) => {
    expect(() => NoteSigner.parse(key, 'it')).toThrow(/^it is not a signing key$/);
    expect(() => NoteVerifier.parse(PRIVATE)).toThrow(/^a private key is not/);
  });

  test.each(['', 'a b', 'a+b', 'a\u202eb', 'a\nb'])('the name %j', (name) => {
    expect(() => NoteSigner.generate(name)).toThrow(/cannot be the name/);
  });
});

test('a key that is logged shows its public part alone', () => {
  for (const text of [inspect(peter), JSON.stringify(peter), String(inspect({ peter }))]) {
    expect(text).toContain(PUBLIC);
    expect(text).not.toContain('AYEK');
  }
});

test('the note of a head holds log, number, hash and time, and no other text is taken for one', () => {
  const head = {
    birth: 'a'.repeat(64),
    head: { seq: 7, hash: 'b'.repeat(64) },
    at: new Date('2026-11-26T01:02:03.004Z'),
  };
  const note = signHead(head, mine);
  expect(note.split('\n\n')[0]).toBe(
    `unlockos-keys/audit-log/${'a'.repeat(64)}\n7\n${'b'.repeat(64)}\n2026-11-26T01:02:03.004Z`,
  );
  expect(openSignedHead(note, mine.verifier)).toEqual({ ...head, signer: 'example.com/keys' });
  expect(openSignedHead(note, verifier)).toBeNull();
  for (const text of [
    TEXT,
    `${note.split('\n\n')[0]}\nmore\n`,
    ...['x', `${'a'.repeat(64)}0`, `0${'a'.repeat(64)}`, 'A'.repeat(64)].map(
      (birth) => `unlockos-keys/audit-log/${birth}\n7\n${'b'.repeat(64)}\n2026-11-26T01:02:03.004Z\n`,
    ),
    `unlockos-keys/audit-log/${'a'.repeat(64)}\n0\n${'b'.repeat(64)}\n2026-11-26T01:02:03.004Z\n`,
    `unlockos-keys/audit-log/${'a'.repeat(64)}\n7\n${'b'.repeat(64)}\n2026-11-26\n`,
    `another-log/${'a'.repeat(64)}\n7\n${'b'.repeat(64)}\n2026-11-26T01:02:03.004Z\n`,
  ])
    expect(refusal(() => openSignedHead(mine.sign(text), mine.verifier))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('not about the end of an audit log'),
    });
});

test('of several signatures with one key, all must be good', () => {
  const [, signature = ''] = NOTE.split('\n\n');
  const forged = signature.replace('x08go/ZJ', 'x08go/ZK');
  expect(forged).not.toBe(signature);
  expect(verifier.open(`${NOTE}${signature}`)).toBe(TEXT);
  expect(verifier.open(`${NOTE}${forged}`)).toBeNull();
  expect(verifier.open(`${TEXT}\n${forged}${signature}`)).toBeNull();
});

test('a hundred signatures are read, and lines that are nearly signatures are none', () => {
  const [, signature = ''] = NOTE.split('\n\n');
  expect(verifier.open(`${TEXT}\n${signature.repeat(100)}`)).toBe(TEXT);
  for (const line of [`x${signature}`, signature.replace('\n', ' x\n'), '\u2014 a eDA4Zw==\n', '\u2014 a eDA4Z\n'])
    expect(() => verifier.open(NOTE + line), line).toThrow(/not a signature/);
  expect(verifier.open(`${NOTE}\u2014 a eDA4Z28=\n`)).toBe(TEXT);
});

test.each(['no line end', '', 'a\ttab\n', 'a\rreturn\n'])('the text %j is not signed', (text) => {
  expect(() => mine.sign(text)).toThrow('a note has whole lines without control characters');
});

test('a name has at most 200 characters', () => {
  expect(NoteSigner.generate('n'.repeat(200)).verifier.name).toHaveLength(200);
  expect(refusal(() => NoteSigner.generate('n'.repeat(201))).code).toBe('usage');
});

test('keys that cannot be read are refused by the code of usage', () => {
  expect(refusal(() => NoteVerifier.parse('x')).code).toBe('usage');
  expect(refusal(() => NoteSigner.parse('x', 'f')).code).toBe('usage');
  for (const key of [`x ${PUBLIC}`, `${PUBLIC}+`, PUBLIC.replace('+AR', '+AQ'), PUBLIC.replace('+ARpc', '+')])
    expect(() => NoteVerifier.parse(key), key).toThrow(/is not a public key/);
});
