import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { isStoreUrl } from '../../store/remote/address.js';
import { type Bounds, type Path, YamlDocument } from '../../yaml/document.js';
import { describeProblems } from '../../yaml/problems.js';
import { checkShape, type InferOutput } from '../../yaml/shape.js';
import { configSchema } from './config-schema.js';
import { MAX_CONFIG_BYTES } from './config-text.js';
import type { Config, Profile } from './profile.js';

/** A configuration has seven levels. */
const BOUNDS: Bounds = {
  kind: 'a configuration',
  maxBytes: MAX_CONFIG_BYTES,
  maxDepth: 32,
  tooLarge: 'at most 256 KiB',
};

export interface Source {
  readonly file: string;
  /** Asked only for a path that begins with `~/`: there may be no home directory. */
  readonly home: () => string;
  /** The text would be written, and is in no file yet: messages name no line. */
  readonly isDraft?: boolean;
}

/** What the value at a path is called in messages: `store of profile "a"`. */
function nameOf([top, name, setting, item]: Path): string {
  if (top === undefined) return 'the file';
  if (name === undefined) return String(top);
  const profile = `profile ${quoted(String(name))}`;
  if (setting === undefined) return profile;
  if (item === undefined) return `${setting} of ${profile}`;
  if (setting === 'defaults') return `defaults.${item} of ${profile}`;
  return item === 0 ? `the program in ${setting} of ${profile}` : `a word of ${setting} of ${profile}`;
}

function configError({ file, isDraft }: Source, { problems }: YamlDocument): KeysError {
  const shown = isDraft ? problems.map((problem) => ({ ...problem, place: null })) : problems;
  const hint = isDraft ? 'nothing was changed' : 'for the settings of a profile, see: unlockos-keys profile add --help';
  return new KeysError('usage', describeProblems(file, shown), hint);
}

type Output = InferOutput<typeof configSchema>;

function refuseMissingDefault(document: YamlDocument): void {
  const top = document.value as { default?: unknown; profiles?: unknown };
  const profiles = Object.keys((top.profiles ?? {}) as object);
  if (typeof top.default === 'string' && top.default.trim() !== '' && !profiles.includes(top.default))
    document.problem(
      ['default'],
      `the default profile ${quoted(top.default)} does not exist`,
      profiles.length === 0 ? 'there are no profiles' : `profiles: ${profiles.map(quoted).join(', ')}`,
    );
}

/** A path is relative to the directory of the file; `~/` is the home directory. */
function resolvePath({ file, home }: Source, text: string): string {
  return path.resolve(path.dirname(file), text.startsWith('~/') ? path.join(home(), text.slice(2)) : text);
}

/** A program without a directory is looked up in PATH. Any other is never a file of the working directory, which may be somebody else's. */
function commandOf([program = '', ...args]: readonly string[], source: Source): readonly string[] {
  return [/[/\\]/.test(program) ? resolvePath(source, program) : program, ...args];
}

function profileOf(name: string, given: NonNullable<Output['profiles']>[string], source: Source): Profile {
  const resolve = (text: string | undefined) => (text === undefined ? null : resolvePath(source, text));
  const { store, defaults } = given;
  return {
    name,
    store: isStoreUrl(store) ? store : resolvePath(source, store),
    tokenFile: resolve(given.tokenFile),
    tokenCommand: given.tokenCommand ? commandOf(given.tokenCommand, source) : null,
    pepperFile: resolve(given.pepperFile),
    allowHttp: given.allowHttp ?? false,
    protected: given.protected ?? false,
    testOnly: given.testOnly ?? false,
    defaults: {
      output: defaults?.output ?? null,
      expires: defaults?.expires ?? null,
      rateLimit: defaults?.rateLimit ?? null,
    },
  };
}

/**
 * Reads a configuration. Throws `usage` that names every problem by line and column. An unknown setting is one, because a mistyped
 * `protected` must not leave a store unprotected.
 */
export function parseConfig(text: string, source: Source): Config {
  const document = new YamlDocument(text, BOUNDS);
  if (document.value === undefined) throw configError(source, document);
  if (document.value === null) return { file: source.file, defaultProfile: null, profiles: new Map() };
  const output = checkShape(configSchema, document, nameOf);
  refuseMissingDefault(document);
  if (document.problems.length > 0 || !output) throw configError(source, document);
  const profiles = Object.entries(output.profiles ?? {});
  return {
    file: source.file,
    defaultProfile: output.default ?? null,
    profiles: new Map(profiles.map(([name, given]) => [name, profileOf(name, given, source)])),
  };
}
