import { type TestCli, testCli } from './test-cli.js';

/** The form of a key string that no store here has, without its checksum. */
export const FOREIGN = 'unlk_live_0123456789ab_00000000000000000000000000000000';
/** The same with a bad checksum. */
export const UNKNOWN_BAD = `${FOREIGN}000000`;

/** A command line with a new key "partner", whose key string is on stdin. */
export async function given(...flags: string[]): Promise<TestCli & { keyString: string; id: string }> {
  const cli = testCli();
  const made = await cli.create('partner', ...flags);
  cli.stdin = made.keyString;
  return Object.assign(cli, made);
}
