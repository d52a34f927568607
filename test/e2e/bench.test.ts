import path from 'node:path';
import { expect, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';

test('the benchmark says that it skips serve where wrk is missing, and goes on', async () => {
  const place = new Place({ PATH: '' });
  const { exitCode, stdout, stderr } = await place.run(process.execPath, [path.join(ROOT, 'bench/run.mjs'), 'serve']);
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 0,
    stdout: 'serve: skipped, wrk is not installed (apt-get install wrk)\n',
    stderr: '',
  });
});
