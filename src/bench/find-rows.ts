import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BenchRow } from './row.ts';

/** A row with its module. */
export interface FoundRow extends BenchRow {
  module: string;
}

/** Folder of the built package. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ROW_FILE = /\.bench\.js$/;

/**
 * The rows of all `*.bench.ts` whose name, or file's name, contains one of `words`, with the rows that they are rated
 * against; all rows if there are no words.
 */
export async function findRows(words: readonly string[]): Promise<FoundRow[]> {
  const all: FoundRow[] = [];
  for (const file of readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!ROW_FILE.test(file)) continue;
    const module = pathToFileURL(join(ROOT, file)).href;
    const { rows } = (await import(module)) as { rows: BenchRow[] };
    for (const row of rows) all.push({ ...row, module });
  }
  const wanted = new Set(
    words.length === 0
      ? all
      : all.filter((row) => words.some((word) => row.name.includes(word) || fileOf(row).includes(word))),
  );
  for (const row of wanted) {
    for (const { row: other } of row.against ?? []) {
      const found = all.find(({ name }) => name === other);
      if (!found) throw new Error(`Cannot rate ${row.name}: there is no row ${other}`);
      wanted.add(found);
    }
  }
  return all.filter((row) => wanted.has(row));
}

function fileOf({ module }: FoundRow): string {
  return basename(module).replace(ROW_FILE, '');
}
