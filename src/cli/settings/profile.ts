import type { Format } from './global-flags.js';

/** A named store: where it is, how to get in, what is asked of those who change it, and what is meant where a flag says nothing. */
export interface Profile {
  readonly name: string;
  /** An absolute path, or a URL. */
  readonly store: string;
  readonly tokenFile: string | null;
  /** A program and its arguments; no shell. */
  readonly tokenCommand: readonly string[] | null;
  /** The file of peppers for its keys. */
  readonly pepperFile: string | null;
  readonly allowHttp: boolean;
  readonly protected: boolean;
  readonly testOnly: boolean;
  readonly defaults: {
    readonly output: Format | null;
    readonly expires: string | null;
    readonly rateLimit: string | null;
  };
}

/** The configuration file, read. */
export interface Config {
  readonly file: string;
  readonly defaultProfile: string | null;
  readonly profiles: ReadonlyMap<string, Profile>;
}
