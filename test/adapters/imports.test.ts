import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('../../src/adapters/', import.meta.url);

test('adapters import only types of their framework, so that none has to be installed', () => {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(new URL(file, folder), 'utf8').replace(/^ *\*.*$/gm, '');
    const loaded = [...text.matchAll(/^(?:import|export)(?! type\b)[^;]*?from '([^']+)'/gm)].map(([, from]) => from);
    expect(
      loaded.filter((from) => !from?.startsWith('.')),
      file,
    ).toEqual([]);
  }
});
