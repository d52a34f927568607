import type { Place } from './built-tool.js';

export type KillPoint = 'before-begin' | 'before-commit' | 'after-commit';

/** A preload that runs `code` at the `nth` time that a write gets to `point`; production code only publishes where it is. */
export function atPoint(place: Place, point: KillPoint | 'any', nth: number, code: string): readonly string[] {
  const file = place.write(
    'preload.cjs',
    `let left = ${nth};
    require('node:diagnostics_channel').subscribe('unlockos-keys:write', (point) => {
      if ((${JSON.stringify(point)} === 'any' || point === ${JSON.stringify(point)}) && --left === 0) { ${code} }
    });`,
  );
  return ['-r', file];
}

/** The same effect as `kill -9`, at a chosen point. */
export function killAt(place: Place, point: KillPoint | 'any', nth = 1): readonly string[] {
  return atPoint(place, point, nth, "process.kill(process.pid, 'SIGKILL');");
}
