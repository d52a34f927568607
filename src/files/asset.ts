import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Of the CommonJS file that a bundler made of this module; such a file does not know its URL. */
declare const __filename: string;

/** Where this module is, or the bundle that it became a part of. */
function moduleUrl(): string {
  return import.meta.url ?? pathToFileURL(__filename).href;
}

/** The same for `createRequire`, which takes a path as well: to make a URL of it would cost a start of the tool a millisecond. */
export function moduleName(): string {
  return import.meta.filename ?? moduleUrl();
}

/**
 * The URL of a file or folder of this package that is opened at run time and not imported: a worker (`hashing/bcrypt-worker.js`) or the
 * migrations (`drizzle/`). `name` is a path below any folder between this module and the root of the package. The search goes up from this
 * module, so the same name works from `src/`, from `dist/` and from a bundle at any depth in `dist/`.
 *
 * In an application's bundle it also finds the package that is installed beside it. Throws when there is no such file.
 */
export function assetUrl(name: string): URL {
  for (let folder = new URL('./', moduleUrl()); ; folder = new URL('../', folder)) {
    const url = new URL(name, folder);
    if (existsSync(url)) return url;
    const installed = new URL(`node_modules/unlockos-keys/dist/${name}`, folder);
    const shipped = new URL(`node_modules/unlockos-keys/${name}`, folder);
    for (const each of [installed, shipped]) if (existsSync(each)) return each;
    // A file of the same name above the package would be someone else's.
    if (isPackageRoot(folder) || folder.pathname === '/') throw incomplete(name);
  }
}

/** A bundler takes the code and leaves other files behind. */
function incomplete(name: string): Error {
  const hint = 'in a bundle, mark unlockos-keys as external, or copy its folder drizzle/ beside the bundle';
  return new Error(`unlockos-keys is incomplete: no ${name}; ${hint}`);
}

/** A folder with its own package.json that has a name; the one in `dist/bundle/` has none. */
function isPackageRoot(folder: URL): boolean {
  const manifest = new URL('package.json', folder);
  return existsSync(manifest) && readFileSync(manifest, 'utf8').includes('"name"');
}
