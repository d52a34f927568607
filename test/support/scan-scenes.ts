import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { type TestCli, testCli } from './test-cli.js';

export interface Finding {
  file: string;
  line: number;
  column: number;
  commit: string | null;
  id: string;
  checksum: string;
  name: string | null;
  status: string | null;
  disabled: boolean | null;
}

/** A place to search, beside the store and not around it. */
export function scene(): { cli: TestCli; write: (file: string, text: string | Buffer) => string; dir: string } {
  const cli = testCli();
  const dir = path.join(cli.dir, 'work');
  mkdirSync(dir);
  const write = (file: string, text: string | Buffer) => {
    const at = path.join(dir, file);
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, text);
    return at;
  };
  return { cli, write, dir };
}

export async function scan(
  cli: TestCli,
  ...argv: string[]
): Promise<{ exitCode: number; found: Finding[]; stderr: string }> {
  const { exitCode, stdout, stderr } = await cli.run('scan', ...argv, '--json');
  return { exitCode, found: stdout === '' ? [] : JSON.parse(stdout), stderr };
}

export function git(dir: string, ...args: string[]): void {
  const settings = [
    '-c',
    'user.name=x',
    '-c',
    'user.email=x@example.org',
    '-c',
    'commit.gpgsign=false',
    '-c',
    'init.defaultBranch=main',
  ];
  const env = { PATH: process.env.PATH, HOME: dir, GIT_CONFIG_NOSYSTEM: '1' };
  execFileSync('git', [...settings, ...args], { cwd: dir, env, stdio: 'pipe' });
}

/** A repository with a key; `work` scans in it. */
export async function repository() {
  const { cli, write, dir } = scene();
  git(dir, 'init', '-q');
  const { keyString, id } = await cli.create('k');
  const work = (...argv: string[]) => {
    const before = cli.dir;
    Object.assign(cli, { dir });
    return scan(cli, ...argv).finally(() => Object.assign(cli, { dir: before }));
  };
  const commit = (message: string) => {
    git(dir, 'add', '-A');
    git(dir, 'commit', '-qm', message);
  };
  return { cli, write, dir, keyString, id, work, commit };
}

/** A zip file without a directory at its end, which a program that only streams leaves out, too. */
export function zipOf(members: readonly (readonly [name: string, bytes: Buffer])[]): Buffer {
  return Buffer.concat(
    members.flatMap(([name, bytes]) => {
      const header = Buffer.alloc(30);
      header.write('PK\u0003\u0004', 'latin1');
      header.writeUInt16LE(8, 8);
      header.writeUInt16LE(Buffer.byteLength(name), 26);
      return [header, Buffer.from(name), deflateRawSync(bytes)];
    }),
  );
}
