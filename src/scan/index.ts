/** The implementation of `scan`. Only that command loads it. */
export { searchPieces } from './content.js';
export { newTally, scanPath, type Tally } from './files.js';
export type { Finding } from './finding.js';
export type { GitFinding } from './git-changes.js';
export { scanHistory, submodulesOf } from './git-history.js';
export { scanStaged } from './git-staged.js';
export { RULES } from './rules.js';
