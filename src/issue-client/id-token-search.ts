import { KeysError } from '../domain/errors.js';
import { type IdTokens, NO_TOKEN_HINT } from './id-token.js';
import { idTokenInFile } from './id-token-file.js';
import { GITHUB_TOKEN, GITHUB_URL, type GithubJob, githubIdTokens } from './id-token-github.js';
import { idTokenOfVariable } from './id-token-variable.js';

/** Where a GitLab job, or any other, puts its ID token without being told a name. */
export const ID_TOKEN_VARIABLE = 'UNLOCKOS_KEYS_ID_TOKEN';

/** Where to look, and with what. */
export interface Search extends Omit<GithubJob, 'url' | 'requestToken' | 'audience'> {
  /** `--id-token-env` */
  readonly variable: string | undefined;
  /** `--id-token-file`, as it was typed and as a path. */
  readonly file: { readonly shown: string; readonly path: string } | undefined;
  /** `--audience`: only GitHub gives a token for an audience that is asked for. */
  readonly audience: string | undefined;
  readonly origin: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The value of a variable, which nobody inherits from then on. An empty one counts as unset. */
  take(name: string): string | undefined;
}

/**
 * The ID tokens of this job: of the variable or the file that was named, of `UNLOCKOS_KEYS_ID_TOKEN`, or of GitHub. Throws `unauthorized`
 * when the job has no ID token, and says what it lacks.
 */
export function findIdTokens(search: Search): IdTokens {
  const { variable, file, take, audience } = search;
  // What gives ID tokens to whoever has it is of no use to the program that gets the key.
  const [url, requestToken, own] = [take(GITHUB_URL), take(GITHUB_TOKEN), take(ID_TOKEN_VARIABLE)];
  const name = variable ?? (file === undefined && own !== undefined ? ID_TOKEN_VARIABLE : undefined);
  const refuseAudience = (source: string) => {
    if (audience !== undefined)
      throw new KeysError(
        'usage',
        `--audience says what to ask GitHub for, and the ID token of ${source} has its audience already`,
        'leave it out; the system that signs the token is told the audience',
      );
  };
  if (file !== undefined) {
    refuseAudience('--id-token-file');
    return idTokenInFile(file.path, file.shown);
  }
  if (name !== undefined) {
    refuseAudience(name);
    const value = name === ID_TOKEN_VARIABLE ? own : take(name);
    if (value === undefined)
      throw new KeysError('unauthorized', `the variable ${name} is not set: there is no ID token`, NO_TOKEN_HINT);
    return idTokenOfVariable(name, value);
  }
  if (url === undefined || requestToken === undefined) throw nothingFound(search);
  return githubIdTokens({ ...search, url, requestToken, audience: audience ?? search.origin });
}

/** What a job lacks, by the system that it runs in. */
function nothingFound({ env, origin }: Search): KeysError {
  if (env.GITHUB_ACTIONS === 'true')
    return new KeysError(
      'unauthorized',
      'GitHub gives this job no ID token: the job needs "permissions: id-token: write"',
      env.GITHUB_EVENT_NAME === 'pull_request'
        ? 'add it to the job; a pull request from a fork never gets one'
        : 'add it to the job; permissions that it needs beside it, such as contents: read, must be named then, too',
    );
  if (env.GITLAB_CI === 'true')
    return new KeysError(
      'unauthorized',
      `this job has no ID token: ${ID_TOKEN_VARIABLE} is not set`,
      `add to the job: id_tokens: { ${ID_TOKEN_VARIABLE}: { aud: ${origin} } }`,
    );
  return new KeysError(
    'unauthorized',
    'there is no ID token for this job',
    `pass --id-token-env NAME or --id-token-file FILE, or set ${ID_TOKEN_VARIABLE}; ${NO_TOKEN_HINT}`,
  );
}
