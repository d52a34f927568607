/** The remainders of all half bytes for the polynomial 0xEDB88320 (IEEE 802.3, bits reversed). */
const REMAINDERS = [
  ...[0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c],
  ...[0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c],
];

/**
 * The CRC-32 of ASCII text, as `zlib.crc32` computes it: 0 to 2^32 - 1. That module takes longer to load than most commands take to check a key
 * string.
 */
export function crc32(text: string): number {
  let crc = -1;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    crc = (crc >>> 4) ^ (REMAINDERS[crc & 15] as number);
    crc = (crc >>> 4) ^ (REMAINDERS[crc & 15] as number);
  }
  return ~crc >>> 0;
}
