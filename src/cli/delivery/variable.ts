import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';

/** The environment variable that programs look for their key string in. */
export const DEFAULT_VARIABLE = 'UNLOCKOS_API_KEY';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Returns the name. Throws `usage` when it cannot be the name of a variable. */
export function checkedVariable(name: string, flag: string): string {
  if (!VARIABLE.test(name))
    throw new KeysError(
      'usage',
      `${flag}: ${quoted(name)} is not a variable name`,
      'use letters, digits and underscores, e.g. UNLOCKOS_API_KEY',
    );
  return name;
}

/** Variables that change how programs run, by the beginning of their names in capitals. */
const FAMILIES = [
  ...['LD_', 'DYLD_', 'GLIBC_', 'MALLOC_', 'BASH', 'LC_', 'XDG_', 'OPENSSL_', 'SSL_', 'SSH_', 'GIT_', 'SUDO_'],
  ...['NODE_', 'NPM_', 'PYTHON', 'PERL', 'RUBY', 'GEM_', 'BUNDLE_', 'JAVA_', 'JDK_', '_JAVA_', 'DOTNET_', 'COMPLUS_'],
  ...['GITHUB_', 'RUNNER_', 'ACTIONS_', 'UNLOCKOS_KEYS_'],
];
const NAMES = [
  ...[
    'PATH',
    'HOME',
    'SHELL',
    'USER',
    'LOGNAME',
    'PWD',
    'OLDPWD',
    'TMPDIR',
    'TMP',
    'TEMP',
    'LANG',
    'LANGUAGE',
    'TERM',
    'TZ',
  ],
  ...[
    'IFS',
    'ENV',
    'PS4',
    'PROMPT_COMMAND',
    'SHELLOPTS',
    'CDPATH',
    'GLOBIGNORE',
    'ZDOTDIR',
    'FPATH',
    'EDITOR',
    'VISUAL',
    'PAGER',
  ],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'FTP_PROXY', 'NO_PROXY', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE'],
  ...['CLASSPATH', 'GCONV_PATH', 'GOFLAGS', 'MAKEFLAGS', 'CI', 'PATHEXT', 'COMSPEC', 'SYSTEMROOT', 'WINDIR'],
];

/**
 * {@link checkedVariable} for a variable that holds a key string in the environment of other programs. Throws `usage` as well for one by
 * which they are configured: it would change what they do, and some would print or send the key string.
 */
export function variableForKey(name: string, flag: string): string {
  checkedVariable(name, flag);
  const upper = name.toUpperCase(); // `http_proxy` is one, too, and Windows knows no letter case
  const family = FAMILIES.find((each) => upper.startsWith(each));
  if (family === undefined && !NAMES.includes(upper)) return name;
  throw new KeysError(
    'usage',
    `${flag}: ${name} changes how programs run, so it cannot hold a key string`,
    `choose another name, e.g. ${DEFAULT_VARIABLE}${family === undefined ? '' : `; none that begins with ${family}`}`,
  );
}
