// What must be true of the bundle, whatever the sources import: the build fails where it is not.

/** Packages that no start may read, each with what needs it: reading one costs 1 to 20 ms, which every call would pay. */
export const NOT_AT_START = {
  '@inquirer/prompts': 'questions on a terminal',
  bcryptjs: 'commands that hash or check a secret',
  'better-sqlite3': 'commands that open a local store',
  'ci-info': 'commands that behave differently in CI',
  commander: 'lines that plain-line.ts does not read',
  'csv-stringify': '-o csv',
  'drizzle-orm': 'commands that open a store',
  ignore: 'scan',
  jose: 'issue',
  'prom-client': 'serve and issue',
  'string-width': 'tables',
  unhomoglyph: 'commands that give a key a name',
  valibot: 'commands that read a manifest, rules or a configuration file',
  yaml: 'commands that read or write YAML',
};

/** Everything that is loaded along with `name`, itself included. */
export function loadedWith(name, needs, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const each of needs(name)) loadedWith(each, needs, found);
  return found;
}

/** The package that a source belongs to, or null for one of ours. */
export function packageOf(source) {
  const within = source.split('node_modules/').at(-1);
  if (within === source) return null;
  return within.split('/', within.startsWith('@') ? 2 : 1).join('/');
}

/** What is wrong with how the sources are spread over the files: one in two of them would be two copies, say of an error class. */
function doubled(files) {
  const places = new Map();
  const wrong = [];
  for (const { name, inputs } of files) {
    for (const input of inputs) {
      if (places.has(input)) wrong.push(`${input} is in ${places.get(input)} and in ${name}`);
      places.set(input, name);
    }
  }
  return wrong;
}

/** Two files of one name: the second would take the place of the first. */
function namesakes(files) {
  const names = files.map(({ name }) => name);
  return names.filter((name, i) => names.indexOf(name) < i).map((name) => `there are two files ${name}`);
}

/** A file takes what it needs of others while it is loaded: of one that waits for it in turn, it would get nothing. */
function circular(files) {
  const needsOf = new Map(files.map(({ name, needs }) => [name, needs]));
  const reached = (name) => needsOf.get(name) ?? [];
  return files
    .filter(({ name, needs }) => needs.some((each) => loadedWith(each, reached).has(name)))
    .map(({ name }) => `${name} needs a file that needs it`);
}

function missing(files) {
  const names = new Set(files.map(({ name }) => name));
  return files.flatMap(({ name, text, needs }) => {
    const required = [...text.matchAll(/(?:require|importPart)\("\.\/([\w.@-]+\.cjs)(?:#[\w#]+)?"\)/g)].map(
      ([, file]) => file,
    );
    const absent = [...new Set([...needs, ...required])].filter((file) => !names.has(file));
    return absent.map((file) => `${name} needs ${file}, which is missing`);
  });
}

/** The loader reads bytes as characters. esbuild escapes what is beyond ASCII in strings, but not in regular expressions. */
function beyondAscii(files) {
  return files.flatMap(({ name, text }) => {
    const at = Buffer.from(text).findIndex((byte) => byte > 0x7f);
    return at < 0 ? [] : [`${name} is not ASCII at byte ${at}: write a \\u escape in the source`];
  });
}

function eager(files, notAtStart) {
  const needsOf = new Map(files.map(({ name, needs }) => [name, needs]));
  const atStart = loadedWith(files[0].name, (name) => needsOf.get(name) ?? []);
  const packagesOf = (some) => new Set(some.flatMap(({ inputs }) => inputs.map(packageOf)));
  const loaded = packagesOf(files.filter(({ name }) => atStart.has(name)));
  const known = packagesOf(files);
  return Object.entries(notAtStart).flatMap(([name, why]) => {
    if (!known.has(name)) return [`no file contains ${name}: remove it from NOT_AT_START`];
    return loaded.has(name) ? [`every start reads ${name} (needed by ${why}): import() it where it is used`] : [];
  });
}

/**
 * Throws, with all that is wrong, unless each source is in one file, each file that another needs is there, no file needs itself through others,
 * and the first file, with those that it needs, is free of the packages in `notAtStart`.
 *
 * @param {readonly import('./bundle.mjs').File[]} files
 * @param {Readonly<Record<string, string>>} notAtStart
 */
export function check(files, notAtStart = NOT_AT_START) {
  const wrong = [
    ...namesakes(files),
    ...doubled(files),
    ...circular(files),
    ...missing(files),
    ...beyondAscii(files),
    ...eager(files, notAtStart),
  ];
  if (wrong.length > 0) throw new Error(`the bundle is wrong:\n  ${wrong.join('\n  ')}`);
}
