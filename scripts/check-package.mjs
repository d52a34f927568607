// Packs what npm would publish and has it judged: by publint (what package.json promises) and by "Are the types wrong?" (what TypeScript
// finds). `npm run check:package`, after a build.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const run = (file, ...args) => execFileSync(file, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

/** Has a packed file judged. Throws with the exit status of who finds fault with it. */
export function checkPackage(packed) {
  run('npx', '--no', 'publint', 'run', packed, '--strict');
  // The package is ES modules, which Node 20.19 and newer also load by require() (docs/decisions/0029-package.md).
  run('npx', '--no', 'attw', packed, '--profile', 'esm-only', '--no-definitely-typed', '--quiet');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-pack-'));
  try {
    run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', scratch);
    checkPackage(path.join(scratch, readdirSync(scratch)[0]));
  } catch (error) {
    process.exitCode = error.status || 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
