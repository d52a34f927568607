import { main } from './main.js';
import { systemContext } from './system-context.js';

/** The entry point that `bin/unlockos-keys.js` calls. Resolves to the exit code. */
export function start(): Promise<number> {
  return main(process.argv.slice(2), systemContext());
}

/** For the build, which runs the tool once so that V8 compiles it (`scripts/warm-up.cjs`). */
export { main, systemContext };
