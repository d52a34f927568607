import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Place, Result } from './built-tool.js';

const execute = promisify(execFile);

/** What a Dockerfile of ours needs of its base. */
const PROGRAMS = ['/bin/sh', '/usr/bin/env', '/usr/bin/install'];

/** The shared libraries that a program loads, its loader included. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await execute('ldd', [program]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, file = '']) => file);
}

interface Container {
  readonly root: string;
  words(...command: string[]): string[];
  run(...command: string[]): Promise<Result>;
}

/** Container images, built and run by buildah without a daemon, in a storage that goes with the test. */
export class Images {
  readonly #place: Place;
  readonly #storage: readonly string[];
  readonly env = { BUILDAH_ISOLATION: 'chroot' };

  constructor(place: Place) {
    this.#place = place;
    this.#storage = ['--storage-driver', 'vfs', '--root', place.file('images'), '--runroot', place.file('run')];
  }

  async #buildah(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#place.run('buildah', [...this.#storage, ...args], {
      env: this.env,
    });
    if (exitCode !== 0) throw new Error(`buildah ${args[0]} ended with ${exitCode}:\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** An image with this Node, npm and a shell, made of files of this machine: it stands in for one that a registry has. */
  async base(node: string): Promise<string> {
    const root = this.#place.file('base');
    const add = (file: string, as = file) => cpSync(realpathSync(file), path.join(root, as));
    add(node, '/usr/local/bin/node');
    for (const program of PROGRAMS) add(program);
    const libraries = await Promise.all([...PROGRAMS, node].map(librariesOf));
    for (const file of new Set(libraries.flat())) add(file);
    const { stdout } = await execute('npm', ['root', '--global']);
    cpSync(path.join(stdout.trim(), 'npm'), path.join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', path.join(root, 'usr/local/bin/npm'));
    mkdirSync(path.join(root, 'tmp'), { mode: 0o1777 });
    mkdirSync(path.join(root, 'etc'));
    const container = await this.#buildah('from', 'scratch');
    await this.#buildah('copy', '--quiet', container, root, '/');
    await this.#buildah('config', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', container);
    await this.#buildah('commit', '--quiet', container, 'test-node');
    return 'localhost/test-node';
  }

  /** Builds a Dockerfile with the network of this machine. Returns what `docker inspect` calls the image's configuration. */
  async build(directory: string, name: string, args: Record<string, string>): Promise<Record<string, unknown>> {
    const flags = Object.entries(args).flatMap(([arg, value]) => ['--build-arg', `${arg}=${value}`]);
    await this.#buildah('build', '--format', 'docker', '--network', 'host', ...flags, '--tag', name, directory);
    return JSON.parse(await this.#buildah('inspect', '--type', 'image', name)).Docker.config;
  }

  /** Makes a container of an image. `words` run a command in it, as its user and with its environment; `root` holds its files. */
  async container(image: string): Promise<Container> {
    const container = await this.#buildah('from', image);
    const words = (...command: string[]) => [...this.#storage, 'run', '--network', 'host', container, '--', ...command];
    return {
      root: await this.#buildah('mount', container),
      words,
      run: (...command) => this.#place.run('buildah', words(...command), { env: this.env }),
    };
  }
}
