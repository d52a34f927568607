import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { KeysError } from './errors.js';
import { quoted } from './text.js';

// The networks that a key works from, and whether an address is in one of them. ipaddr.js also takes octal numbers and short forms (`010.1`),
// which others read otherwise: `node:net` decides what an address is. `::192.0.2.7`, out of use since 2006, is read in two ways as well.

type Address = ReturnType<typeof ipaddr.parse>;
type Network = readonly [Address, prefix: number];

/** The most networks that a key can have. */
export const MAX_NETWORKS = 64;
const EVERYWHERE = 'a key without a list works from everywhere';

const isAddress = (text: string) => !text.includes('%') && isIP(text) !== 0 && !/^::\d+\./.test(text);

/** The address in a text, or null. An IPv4 address in IPv6 form (`::ffff:192.0.2.7`) becomes IPv4. An address with a zone is refused. */
function addressOf(text: string): Address | null {
  return isAddress(text) ? ipaddr.process(text) : null;
}

/** What {@link addressOf} made of the last texts: programs call from a few addresses, and each request pays for reading one. */
const read = new Map<string, Address | null>();

function addressOnce(text: string): Address | null {
  let address = read.get(text);
  if (address === undefined) {
    if (read.size >= 1000) read.clear();
    address = addressOf(text);
    if (text.length <= 64) read.set(text, address);
  }
  return address;
}

function textOf(address: Address): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** An address in the one form that this package uses: IPv6 as in RFC 5952, IPv4 in four parts. Null for a text that is not an address. */
export function canonicalAddress(text: string): string | null {
  const address = addressOf(text);
  return address && textOf(address);
}

const lengthOf = (address: Address) => (address.kind() === 'ipv4' ? 32 : 128);

function contains([network, prefix]: Network, address: Address): boolean {
  return network.kind() === address.kind() && address.match(network, prefix);
}

const covers = (wide: Network, narrow: Network) => wide[1] <= narrow[1] && contains(wide, narrow[0]);

function refuse(text: string, what: string, hint: string): never {
  throw new KeysError('usage', `${quoted(text)} ${what}`, hint);
}

function notANetwork(text: string): never {
  refuse(text, 'is not an IP address or a network', 'e.g. 192.0.2.7, 10.0.0.0/8, 2001:db8::/32');
}

const V4_IN_V6 = ipaddr.IPv6.parse('::ffff:0.0.0.0');
const V4_BITS = 96;

function readNetwork(text: string): Network {
  const [base = '', length, ...rest] = text.split('/');
  if (base.includes('%'))
    refuse(text, 'names a zone, which only one machine knows', `write ${base.replace(/%.*/, '')}`);
  if (rest.length > 0 || !isAddress(base) || !/^(0|[1-9]\d{0,2})?$/.test(length ?? '') || length === '')
    notANetwork(text);
  const given = ipaddr.parse(base);
  const prefix = length === undefined ? lengthOf(given) : Number(length);
  if (prefix > lengthOf(given)) notANetwork(text);
  if (prefix === 0) refuse(text, 'is every address', EVERYWHERE);
  if (given instanceof ipaddr.IPv6 && prefix < V4_BITS && V4_IN_V6.match(given, prefix))
    refuse(text, 'covers all of IPv4 as well', 'name a smaller network of IPv6, and those of IPv4 on their own');
  const isMapped = given instanceof ipaddr.IPv6 && given.isIPv4MappedAddress();
  const address = isMapped ? given.toIPv4Address() : given;
  const bits = isMapped ? prefix - V4_BITS : prefix;
  if (bits === 0) refuse(text, 'is every address of IPv4', EVERYWHERE);
  const parser = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  const network = parser.networkAddressFromCIDR(`${address.toString()}/${bits}`);
  if (textOf(network) !== textOf(address))
    refuse(
      text,
      `has bits set beyond its first ${prefix}`,
      `write ${textOf(network)}/${bits} for the network, or ${textOf(address)} for this address alone`,
    );
  return [network, bits];
}

function compare([a, aBits]: Network, [b, bBits]: Network): number {
  const [left, right] = [a.toByteArray(), b.toByteArray()];
  if (left.length !== right.length) return left.length - right.length;
  const at = left.findIndex((byte, i) => byte !== right[i]);
  return at < 0 ? aBits - bBits : (left[at] as number) - (right[at] as number);
}

/**
 * The networks of a key in the form in which they are stored: IPv4 before IPv6, in order, single addresses with `/32` or `/128`, without those
 * that another one covers. Throws `usage` for a text that is not an address or a network, that has bits beyond its prefix, or that is all of them.
 */
export function normalizeNetworks(texts: readonly string[]): string[] {
  if (texts.length > MAX_NETWORKS)
    throw new KeysError(
      'usage',
      `a key works from at most ${MAX_NETWORKS} networks, and ${texts.length} are given`,
      'name larger networks',
    );
  const networks = texts.map(readNetwork).sort(compare);
  const kept: Network[] = [];
  for (const network of networks) if (!kept.some((wide) => covers(wide, network))) kept.push(network);
  return kept.map(([address, prefix]) => `${textOf(address)}/${prefix}`);
}

/** What `--allow-from` takes for a key that works from everywhere. */
export const ANYWHERE = 'any';

/** Reads `10.0.0.0/8,192.0.2.7`, or `any`. Throws what {@link normalizeNetworks} throws. */
export function parseNetworks(text: string): string[] {
  if (text.trim() === ANYWHERE) return [];
  const texts = text.split(',').map((each) => each.trim());
  if (texts.length > 1 && texts.includes(ANYWHERE))
    throw new KeysError('usage', `${quoted(ANYWHERE)} does not go together with networks`, 'pass one or the other');
  return normalizeNetworks(texts);
}

/** Networks as people read and type them; `any` for none. */
export function networksText(networks: readonly string[]): string {
  return networks.length === 0 ? ANYWHERE : networks.join(',');
}

/** True when a key that works from `after` works from addresses that `before` did not have. */
export function widens(before: readonly string[], after: readonly string[]): boolean {
  if (before.length === 0) return false;
  if (after.length === 0) return true;
  const old = before.map(readNetwork);
  return !after.map(readNetwork).every((network) => old.some((wide) => covers(wide, network)));
}

/** Read once for each list: a verifier asks about the same ones again and again. */
const networksOf = new WeakMap<readonly string[], readonly Network[]>();

/** Whether a key works from this address (in any form; undefined where it is not known). */
export function allows(list: readonly string[], address: string | undefined): boolean {
  if (list.length === 0) return true;
  const from = address === undefined ? null : addressOnce(address);
  if (from === null) return false;
  let networks = networksOf.get(list);
  if (networks === undefined) {
    networks = list.map(readNetwork);
    networksOf.set(list, networks);
  }
  return networks.some((network) => contains(network, from));
}
