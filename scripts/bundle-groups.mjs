// Which parts of the command line share a file: those that are loaded together.
import path from 'node:path';
import { loadedWith } from './bundle-check.mjs';

/** In bytes of minified code. A smaller file costs more to open than to read as a part of another. */
const SMALL = 3000;

/** What so many commands need is in one file. */
const MANY = 8;

/** The command that scripts run most: what it shares with others is loaded at every start, so that it reads few files. */
const FIRST = 'list';
/** So is what it loads with `import()` whatever it is asked for. */
const WITH_FIRST = ['src/cli/output/formats.ts'];

/** The one after it: what it shares with others is a file, so that it does not read what many others share. */
const SECOND = 'run';
/** What it loads with `import()`. */
const WITH_SECOND = ['child', 'mask', 'variable'].map((name) => `src/cli/delivery/${name}.ts`);

const source = (name) => `src/${name}.ts`;

/** Every run of a command that opens a store loads all of these. */
const STORE = ['store/open', 'store/local/engines/node-sqlite'].map(source);
const AFTER_STORE = ['store/remote/remote-database', 'verifier/verifier', 'store/local/engines/libsql'].map(source);

/**
 * Sources that are imported statically, but loaded when something that they export is first read (`src/loader/loader.ts`); by the file that they make
 * together. Who imports one must only call what it exports, and not while being loaded. What tells of errors is loaded at the start: a file may be gone by then.
 */
const LAZY_SOURCES = {
  'cli-asking-lookalikes': ['cli/asking/lookalikes'],
  'cli-delivery-clipboard': ['cli/delivery/clipboard', 'cli/delivery/this-process'],
  'cli-output-columns': ['cli/output/key-columns', 'domain/relative-time'],
  'cli-settings-token': ['cli/settings/config-text', 'cli/settings/token'],
  'domain-addresses': ['domain/addresses'],
  'domain-changes': [
    ...['audit', 'change', 'checks', 'crc32', 'expiry', 'key-name', 'key-parts', 'labels', 'operation', 'policy'],
    ...['rate-limit', 'scope-change', 'scopes'],
  ].map((name) => `domain/${name}`),
  'domain-real-time': ['domain/real-time'],
  'files-private-file': ['files/private-file', 'files/text'],
  'keyring-delivery': ['keyring/delivery'], // also of keys of a server
};

/** The same of what is only called when a store is open. */
const LAZY_WITH_STORE = {
  hashing: [
    ...['domain/gcra', 'domain/secret-hash', 'domain/verdict', 'hashing/bcrypt-thread', 'store/rate-count'],
    ...['store/rate-statements', 'verifier/make-room', 'verifier/memory-limiter', 'verifier/verify-once'],
  ],
  // what every command but a plain `list` does to a store
  keyring: [
    ...['audit-side', 'audited-change', 'credential-row', 'deleted-side', 'hash-column', 'lookups', 'settings-side'],
    ...['statements', 'use-counts', 'watch', '../keyring/keyring', '../domain/peppers'],
  ].map((name) => path.join('store', name)),
  'keyring-changes': [
    ...['audit-check', 'audit-follow', 'claim', 'copy', 'creation', 'deleted', 'earlier-run', 'hash-report', 'leaked'],
    ...['like', 'line-check', 'minting', 'namesakes', 'prune', 'review', 'rotation', 'rotation-status'],
  ].map((name) => `keyring/${name}`),
  'keyring-lookalikes': ['keyring/lookalikes', 'domain/lookalikes'],
  'keyring-references': ['keyring/references'],
  'store-addon': [
    ...['better-sqlite3', 'sqlite3-connection'].map((name) => `store/local/engines/${name}`),
    'files/asset',
  ],
  'store-builder': ['store/drizzle', 'store/schema'],
  'store-changes': [
    ...['changes', 'catalogue-changes', 'copy', 'deleted', 'deleted-changes', 'deleted-writes', 'exchange'],
    ...['planned', 'rows', 'local/restore', 'local/snapshot'],
  ].map((name) => `store/${name}`),
  'store-errors': [
    ...['errors', 'local/engines/sqlite-error', 'local/read-only-errors', 'text-guard'].map((name) => `store/${name}`),
  ],
  'store-migrations': ['store/migrations', 'store/schema-text'],
  'store-queries': [
    ...['list-query', 'audit-query', 'census', 'derived', 'findings', 'local/inspect'].map((name) => `store/${name}`),
    'domain/audit-line',
  ],
};
const LAZY = new Map(
  Object.entries({ ...LAZY_SOURCES, ...LAZY_WITH_STORE }).flatMap(([file, names]) =>
    names.map((name) => [source(name), file]),
  ),
);

/** The file that a part with lazy sources belongs to; undefined for any other. */
export function lazyFileOf({ inputs, entryPoint }) {
  return [...inputs, entryPoint].map((source) => LAZY.get(source)).find((file) => file !== undefined);
}

/** The parts that are loaded along with a part because it imports them. */
export function staticNeeds(name, parts) {
  return parts.get(name).needs.filter((each) => lazyFileOf(parts.get(each)) === undefined);
}

/** What loads a part by itself: an `import()`, or reading what it exports. Of some there is one for several parts. */
function rootOf(name, part) {
  const isOf = (sources) => [...part.inputs, part.entryPoint].some((each) => sources.includes(each));
  if (isOf(STORE)) return 'store';
  if (isOf(WITH_FIRST)) return `command ${FIRST}`;
  if (isOf(WITH_SECOND)) return `command ${SECOND}`;
  if (isOf(AFTER_STORE)) return `with store: ${name}`;
  const lazy = lazyFileOf(part);
  if (lazy !== undefined) return Object.hasOwn(LAZY_WITH_STORE, lazy) ? `with store: ${lazy}` : `later ${lazy}`;
  if (!part.isRoot) return undefined;
  return isCommand(part) ? `command ${commandOf(part)}` : name;
}

/** The fate of what many commands need, and of small parts of which none brings the other along. */
const SHARED = 'shared';

/** The name of the command that a part is the file of; undefined for any other part. */
function commandOf({ inputs, entryPoint }) {
  const file = [...inputs, entryPoint].find((each) => each?.startsWith('src/cli/commands/'));
  return file && path.basename(file, '.ts');
}

const isCommand = (part) => commandOf(part) !== undefined;

/** Whether what loads a part does so when a store is opened, or later. */
const isWithStore = (root) => root === 'store' || root.startsWith('with store: ');

/** Parts of one answer are loaded together. `roots`: what loads the part. */
function fateOf(roots, entry) {
  const commands = [...roots].filter((root) => root.startsWith('command '));
  if (roots.has(entry) || (roots.size > 1 && roots.has(`command ${FIRST}`))) return entry;
  if (roots.has('store')) return [...roots].every(isWithStore) ? 'store' : entry; // help is drawn of all commands, and opens no store
  if (roots.size > 1 && roots.has(`command ${SECOND}`)) return SECOND;
  return commands.length >= MANY ? SHARED : [...roots].sort().join();
}

/**
 * Puts the parts into groups, each of which becomes a file. All that the entry needs is one group, with what the first command shares with
 * others; what opens a store is one; what many other commands need is one. Other parts are one if the same `import()`s load them. Then a small
 * group joins one that it needs, if that one brings along everything else that the small one needs: so nothing is loaded that was not
 * loaded before. One that needs the entry alone joins what many commands need. A command keeps its own file.
 *
 * @param {Map<string, import('./bundle.mjs').Part>} parts
 * @returns {{ groups: Map<string, string>, shared: string | undefined }} The group of each part, named by a part of it, and which group many
 *   commands need.
 */
export function groupsOf(parts) {
  const names = [...parts.keys()];
  const [entry] = names;
  const needsOf = (name) => staticNeeds(name, parts);
  const roots = new Map(names.map((name) => [name, new Set()]));
  for (const [name, part] of parts) {
    const root = name === entry ? entry : rootOf(name, part);
    if (root !== undefined) for (const each of loadedWith(name, needsOf)) roots.get(each).add(root);
    if (part.inputs.length === 0 && part.entryPoint === undefined) roots.get(name).add(entry); // functions of esbuild
  }
  const first = new Map();
  const fates = new Map(names.map((name) => [name, fateOf(roots.get(name), entry)]));
  for (const name of names) if (!first.has(fates.get(name))) first.set(fates.get(name), name);
  const groups = new Map(names.map((name) => [name, first.get(fates.get(name))]));

  const members = (group) => names.filter((name) => groups.get(name) === group);
  const needs = (group) => {
    const all = members(group).flatMap((name) => needsOf(name).map((each) => groups.get(each)));
    return [...new Set(all)].filter((each) => each !== group);
  };
  const size = (group) => members(group).reduce((sum, name) => sum + parts.get(name).text.length, 0);
  const some = (group, is) => members(group).some((name) => is(parts.get(name)));
  const holdsCommand = (part) => part.inputs.length > 0 && isCommand(part);
  const isRootItself = (part) => part.inputs.length > 0 && (part.isRoot || lazyFileOf(part) !== undefined);
  const stays = (group) =>
    group === entry ||
    group === first.get(SECOND) ||
    some(group, isRootItself) ||
    some(group, holdsCommand) ||
    size(group) >= SMALL;
  for (let joined = true; joined; ) {
    joined = false;
    for (const group of new Set(groups.values())) {
      if (stays(group)) continue;
      const needed = needs(group).filter((each) => each !== entry); // which is always there
      if (needed.length === 0 && !first.has(SHARED)) first.set(SHARED, group);
      const host =
        needed.length === 0
          ? first.get(SHARED)
          : needed.find((each) => needed.every((other) => loadedWith(each, needs).has(other)));
      if (host === undefined || host === group) continue;
      for (const name of members(group)) groups.set(name, host);
      joined = true;
    }
  }
  for (const [name, { inputs, entryPoint }] of parts) {
    const holder = inputs.length > 0 ? undefined : names.find((each) => parts.get(each).inputs.includes(entryPoint));
    if (holder !== undefined) groups.set(name, groups.get(holder)); // it only hands on what the other exports
  }
  return { groups, shared: first.get(SHARED) };
}
