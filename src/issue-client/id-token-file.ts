import { quoted } from '../domain/text.js';
import { readTextFile } from '../files/private-file.js';
import { type IdTokens, MAX_ID_TOKEN, NO_TOKEN_HINT, readIdToken } from './id-token.js';

/**
 * The ID token in a file. Kubernetes writes another into it before the old one expires, so it is read again each time; a pipe can be read
 * once. `shown`: the path as it was typed.
 */
export function idTokenInFile(file: string, shown: string): IdTokens {
  const source = `the file ${quoted(shown)}`;
  let isFile = true;
  const read = (pipes = false) =>
    readIdToken(
      readTextFile(file, {
        what: 'the ID token',
        shown,
        code: 'unauthorized',
        maxBytes: 2 * MAX_ID_TOKEN,
        pipes, // not later: the key could not be deleted while nobody writes to it, and no signal would end that
        hint: NO_TOKEN_HINT,
        check: (stats) => {
          isFile = stats.isFile();
        },
      }),
      source,
    );
  const first = read(true);
  let isFirst = true;
  return {
    source,
    renewed: false,
    async next() {
      if (isFirst || !isFile) {
        isFirst = false;
        return first;
      }
      return read();
    },
  };
}
