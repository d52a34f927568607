import { cpSync } from 'node:fs';
import path from 'node:path';
import { type Place, ROOT } from './built-tool.js';

/** The tool alone: nothing that npm would install beside it can be found. */
export function toolAlone(place: Place): string {
  for (const name of ['bin', 'dist/bundle', 'package.json'])
    cpSync(path.join(ROOT, name), place.file('alone', name), { recursive: true });
  return place.file('alone/bin/unlockos-keys.js');
}
