import type { Hit } from './finder.js';

/** A key string in a file, in a member of an archive or in a name; or something that could not be read. */
export type Finding =
  | { readonly kind: 'hit'; readonly file: string; readonly hit: Hit }
  | { readonly kind: 'unreadable'; readonly file: string; readonly why: string };
