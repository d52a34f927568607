/** Bytes that are not UTF-8 text. The message follows a colon. */
export class NotText extends Error {
  override readonly name = 'NotText';
}

/** What to do about {@link NotText}. */
export const SAVE_AS_UTF8 = 'save it as UTF-8';

/** True for UTF-16, with its mark or, as some programs write it, without: a text does not begin with a NUL. */
function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || (first === 0) !== (second === 0);
}

/**
 * UTF-8 as text. Nothing is guessed: a byte that belongs to no character would become another character, and that would be stored. A
 * byte-order mark is dropped, or kept with `keepMark`. Throws {@link NotText}.
 */
export function decodeText(bytes: Uint8Array, { keepMark = false } = {}): string {
  if (bytes.length > 1 && isUtf16(bytes)) throw new NotText('it is UTF-16 text');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: keepMark }).decode(bytes);
  } catch {
    throw new NotText('it is not UTF-8 text');
  }
}
