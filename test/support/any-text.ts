import fc from 'fast-check';

const SURROGATES = 0xd800;

/** Any character of Unicode, but no half of a surrogate pair. fast-check's own unit `binary` takes seconds to prepare. */
const character = fc.nat(0x10f7ff).map((code) => String.fromCodePoint(code < SURROGATES ? code : code + 0x800));

/** Any text. */
export const anyText = fc.string({ unit: character });
