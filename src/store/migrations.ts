import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The schema that this tool reads and writes: the number of migrations in `drizzle/` (a test holds the two together). */
export const SCHEMA_VERSION = 2;

export interface Migration {
  readonly version: number;
  readonly tag: string;
  readonly checksum: string;
  readonly statements: readonly string[];
}

/** `src/store/`, `dist/store/` and `dist/bundle/` lie equally deep, so one relative path serves all three. */
const FOLDER = new URL('../../drizzle/', import.meta.url);

/** The shipped migrations, oldest first, as drizzle-kit wrote them. */
export function readMigrations(folder: string = fileURLToPath(FOLDER)): Migration[] {
  const journal = JSON.parse(readFileSync(`${folder}/meta/_journal.json`, 'utf8')) as { entries: { tag: string }[] };
  return journal.entries.map(({ tag }, index) => {
    const text = readFileSync(`${folder}/${tag}.sql`, 'utf8');
    return {
      version: index + 1,
      tag,
      checksum: createHash('sha256').update(text).digest('hex'),
      statements: text.split('--> statement-breakpoint').map((part) => part.trim()),
    };
  });
}
