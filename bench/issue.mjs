// `run --from` compared with a bare script that makes the same two requests.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { processRatios, report } from './measure.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const tool = path.join(here, '../bin/unlockos-keys.js');

/** The group `issue` of run.mjs. */
export async function issue() {
  const server = spawn(process.execPath, [path.join(here, 'issue-answers.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = await once(server.stdout, 'data');
    const url = `${line}`.trim();
    process.env.UNLOCKOS_KEYS_ID_TOKEN = 'aaa.bbb.ccc';
    const run = [tool, 'run', '--from', url, '-q', '-s', 'checkin:read', '--', 'true'];
    report(
      'run --from, a server that answers at once / bare script',
      processRatios(run, [path.join(here, 'floor-issue.cjs'), url, 'true']),
      1.3,
    );
  } finally {
    server.kill();
  }
}
