import { main } from './main.js';
import { systemContext } from './system-context.js';

/** What `bin/unlockos-keys.js` calls. */
export function start(): Promise<number> {
  return main(process.argv.slice(2), systemContext());
}

/** For the build, which runs the tool once to have it compiled (`scripts/warm-up.cjs`). */
export { main, systemContext };
