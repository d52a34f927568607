import { BlockList, isIPv4 } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  allows,
  canonicalAddress,
  networksText,
  normalizeNetworks,
  parseNetworks,
  widens,
} from '../../src/domain/addresses.js';
import type { KeysError } from '../../src/domain/errors.js';
import { refusal } from '../support/refusal.js';

describe('networks', () => {
  test.each([
    [['192.0.2.7'], ['192.0.2.7/32']],
    [['2001:DB8::0001'], ['2001:db8::1/128']],
    [['2001:0db8:0:0::/32'], ['2001:db8::/32']],
    [['10.0.0.0/8', '10.1.0.0/16', '10.0.0.0/8', '10.9.9.9'], ['10.0.0.0/8']],
    [
      ['2001:db8::/32', '192.0.2.7', '9.0.0.0/8', '100.64.0.0/10'],
      ['9.0.0.0/8', '100.64.0.0/10', '192.0.2.7/32', '2001:db8::/32'],
    ],
    [
      ['::ffff:10.0.0.1', '::ffff:192.168.0.0/112', '::ffff:a00:2'],
      ['10.0.0.1/32', '10.0.0.2/32', '192.168.0.0/16'],
    ],
    [[], []],
  ])('%j are kept as %j', (given, kept) => {
    expect(normalizeNetworks(given)).toEqual(kept);
    expect(normalizeNetworks(kept)).toEqual(kept);
  });

  test.each([
    ['10.1', 'is not an IP address'],
    ['010.0.0.1', 'is not an IP address'],
    ['0x7f.0.0.1', 'is not an IP address'],
    ['167772161', 'is not an IP address'],
    ['::192.0.2.7', 'is not an IP address'],
    ['10.0.0.0/33', 'is not an IP address'],
    ['10.0.0.0/', 'is not an IP address'],
    ['10.0.0.0/08', 'is not an IP address'],
    ['10.0.0.0/-1', 'is not an IP address'],
    ['10.0.0.0/255.0.0.0', 'is not an IP address'],
    ['10.0.0.0 /8', 'is not an IP address'],
    ['[2001:db8::1]', 'is not an IP address'],
    ['example.org', 'is not an IP address'],
    ['', 'is not an IP address'],
    ['10.0.0.0/0', 'is every address'],
    ['::/0', 'is every address'],
    ['::ffff:0:0/96', 'is every address of IPv4'],
    ['::/64', 'covers all of IPv4'],
    ['::ffff:0:0/90', 'covers all of IPv4'],
    ['fe80::1%eth0', 'names a zone'],
    ['fe80::%1/10', 'names a zone'],
  ])('%s is refused: it %s', (text, why) => {
    expect(refusal(() => normalizeNetworks([text]))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining(why),
    });
  });

  test('bits beyond the prefix are refused, with the network and the address that may be meant', () => {
    expect(refusal(() => normalizeNetworks(['10.1.2.3/8']))?.hint).toBe(
      'write 10.0.0.0/8 for the network, or 10.1.2.3 for this address alone',
    );
    expect(refusal(() => normalizeNetworks(['2001:db8::1/32']))?.hint).toContain('2001:db8::/32 for the network');
    expect(refusal(() => normalizeNetworks(['::ffff:10.1.2.3/104']))?.hint).toContain('10.0.0.0/8 for the network');
  });

  test('at most 64', () => {
    const many = (length: number) => Array.from({ length }, (_, i) => `10.0.${i}.1`);
    expect(normalizeNetworks(many(64))).toHaveLength(64);
    expect(refusal(() => normalizeNetworks(many(65)))).toMatchObject({ code: 'usage' });
  });

  test('on the command line, any stands for everywhere, and an empty text for nothing', () => {
    expect(parseNetworks('any')).toEqual([]);
    expect(parseNetworks(' 10.0.0.0/8, 192.0.2.7 ')).toEqual(['10.0.0.0/8', '192.0.2.7/32']);
    for (const text of ['', ',', '10.0.0.0/8,', '10.0.0.0/8,any'])
      expect(refusal(() => parseNetworks(text))).toMatchObject({ code: 'usage' });
  });
});

test.each([
  ['10.1.2.3', '10.1.2.3', true],
  ['::ffff:10.1.2.3', '10.1.2.3', true],
  ['::FFFF:0a01:0203', '10.1.2.3', true],
  ['2001:DB8:0::9', '2001:db8::9', true],
  ['11.0.0.1', '11.0.0.1', false],
  ['2001:db9::', '2001:db9::', false],
  ['::10.1.2.3', null, false],
  ['fe80::1%eth0', null, false],
  ['10.1', null, false],
  ['10.1.2.3:443', null, false],
  ['[2001:db8::9]', null, false],
  [' 10.1.2.3', null, false],
  ['', null, false],
  [undefined, null, false],
])('%s is read as %s, and let in: %s', (text, canonical, isIn) => {
  const list = ['10.0.0.0/8', '2001:db8::/32'];
  expect(text === undefined ? null : canonicalAddress(text)).toBe(canonical);
  expect([allows(list, text), allows(list, text)]).toEqual([isIn, isIn]);
  expect(allows([], text)).toBe(true);
});

test.each([
  [[], ['10.0.0.0/8'], false],
  [['10.0.0.0/8'], [], true],
  [['10.0.0.0/8'], ['10.1.0.0/16', '10.2.0.0/16'], false],
  [['10.1.0.0/16'], ['10.0.0.0/8'], true],
  [['10.0.0.0/8'], ['10.0.0.0/8', '192.0.2.7/32'], true],
  [['10.0.0.0/8', '2001:db8::/32'], ['2001:db8::7/128'], false],
  [['10.0.0.0/8'], ['2001:db8::/32'], true],
])('from %j to %j lets more addresses in: %s', (before, after, more) => {
  expect(widens(before, after)).toBe(more);
});

/** The network that an address with a prefix is in: what the error for it suggests. */
function networkOf(text: string): string {
  try {
    return normalizeNetworks([text])[0] as string;
  } catch (error) {
    return /^write (\S+) /.exec((error as KeysError).hint ?? '')?.[1] as string;
  }
}

test('random addresses are let in as the BlockList of Node says', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const v4 = () => Array.from({ length: 4 }, () => random(256)).join('.');
  const v6 = () => ['2001', ...Array.from({ length: 7 }, () => random(65_536).toString(16))].join(':');
  for (let round = 0; round < 500; round++) {
    const address = round % 2 === 0 ? v4() : v6();
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    const prefix = isIPv4(address) ? 1 + random(32) : 8 + random(121);
    const network = networkOf(`${address}/${prefix}`);
    const list = new BlockList();
    list.addSubnet(network.split('/')[0] as string, prefix, family);
    for (const other of [address, ...Array.from({ length: 4 }, isIPv4(address) ? v4 : v6)])
      expect([network, other, allows([network], other)]).toEqual([network, other, list.check(other, family)]);
  }
});

test('networks of one address are in the order of their size, and one within another goes', () => {
  expect(normalizeNetworks(['10.0.0.0/16', '10.0.0.0/8'])).toEqual(['10.0.0.0/8']);
  expect(normalizeNetworks(['10.0.0.0/8', '11.0.0.0/16', '10.255.0.0/16'])).toEqual(['10.0.0.0/8', '11.0.0.0/16']);
});

test.each([
  [['10.0.0.0/16'], ['10.0.0.0/8'], true],
  [['10.0.0.0/8'], ['10.0.0.0/16'], false],
  [['10.0.0.0/8'], ['10.0.0.0/8', '192.0.2.7'], true],
])('%j made %j works from more: %s', (before, after, more) => {
  expect(widens(before, after)).toBe(more);
});

test('networks are written as they are read', () => {
  for (const text of ['any', '10.0.0.0/8', '10.0.0.0/8,192.0.2.7/32'])
    expect(networksText(parseNetworks(` ${text} `))).toBe(text);
});

test.each([
  ['any,10.0.0.0/8', 'does not go together'],
  ['10.0.0.0/8, any', 'does not go together'],
  ['10.0.0.0/8/8', 'is not an IP address or a network'],
  ['10.0.0.1/8', 'has bits set beyond its first 8'],
])('%s is refused: it %s', (text, why) => {
  expect(refusal(() => parseNetworks(text))).toMatchObject({ code: 'usage', message: expect.stringContaining(why) });
});

test('a zone is refused with the address without it', () => {
  expect(refusal(() => normalizeNetworks(['fe80::1%eth0'])).hint).toBe('write fe80::1');
});
