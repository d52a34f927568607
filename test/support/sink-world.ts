import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Context } from '../../src/cli/context.js';
import type { KeyInHand, SinkWorld } from '../../src/cli/delivery/sink.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { scratch } from './stores.js';

/** A new key in hand, for tests of what becomes of its key string. */
export const { id, keyString } = mintKeyString('test');
export const MADE = { key: { id, name: 'ci' }, keyString } as KeyInHand;

/** A folder, and what a sink that is a file may use of a run in it. */
export function sinkWorld(env: Record<string, string> = {}) {
  const dir = scratch();
  const notes: string[] = [];
  const world: SinkWorld = {
    ctx: { env, cwd: dir, now: () => new Date() } as unknown as Context,
    words: [],
    note: (text) => notes.push(text),
    waits: () => () => {},
  };
  const at = (name: string) => path.join(dir, name);
  return { dir, notes, world, at, text: (name: string) => readFileSync(at(name), 'utf8') };
}
