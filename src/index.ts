export type { Verifier } from './verifier.js';
