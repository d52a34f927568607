/** Held equal to package.json by a test; a constant, so that no start of the tool reads that file. */
export const VERSION = '0.1.0';
