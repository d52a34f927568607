/** A token in JSON (JWT, RFC 7519): what stores and CI systems sign begins with `{"` in base64url. */
const JWT = /eyJ[\w-]{5,}\.[\w-]+(\.[\w-]*)?/g;

/** True when `text` contains what looks like a token. */
export function holdsToken(text: string): boolean {
  return text.includes('eyJ') && text.search(JWT) >= 0;
}

/** Masks everything in `text` that looks like a token. */
export function withoutTokens(text: string): string {
  return text.replace(JWT, '\u2026');
}
