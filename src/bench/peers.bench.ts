import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import type { BenchContext, BenchRow } from './row.ts';

// Programs of the system that do what a user would do without savkit, on the same files.

/** A second file of the same bytes: cmp looks whether two names are one file. */
export function copyOf({ folder, ramMib }: BenchContext): string {
  return join(folder, `mixed-${ramMib}-copy.sav`);
}

export async function makeCopy(context: BenchContext): Promise<void> {
  if (isOlder(copyOf(context), context.state)) copyFileSync(context.state, copyOf(context));
}

function imageOf({ folder, ramMib }: BenchContext): string {
  return join(folder, `mixed-${ramMib}.raw`);
}

async function makeImage(context: BenchContext): Promise<void> {
  if (!isOlder(imageOf(context), context.state)) return;
  const { extract } = await import('../saved-state/extract/extract.ts');
  const sink = await openFileSink(imageOf(context), { force: true });
  await extract(await openFile(context.state), sink, { format: 'raw' });
  await sink.commit();
}

/** Whether a file made of the state is missing, or was made of an earlier state. */
function isOlder(path: string, state: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there === undefined || there.mtimeMs < statSync(state).mtimeMs;
}

/** A row that runs a program of the system. */
function program(name: string, words: (context: BenchContext) => string[], rest: Partial<BenchRow> = {}): BenchRow {
  const [command] = name.split(' ');
  return {
    name,
    missing: () => (spawnSync(command, ['--version']).error ? `there is no ${command}` : undefined),
    run: (context) => void execFileSync(command, words(context), { stdio: 'ignore' }),
    ...rest,
  };
}

/** Copies a file; the copy is removed outside of the time. */
function copying(
  name: string,
  options: string[],
  source: (context: BenchContext) => string,
  rest: Partial<BenchRow> = {},
) {
  const row = program(name, () => [], rest);
  return {
    ...row,
    run(context: BenchContext): number {
      const target = join(context.folder, 'copied');
      rmSync(target, { force: true });
      const start = performance.now();
      execFileSync('cp', [...options, source(context), target]);
      const ms = performance.now() - start;
      rmSync(target);
      return ms;
    },
  };
}

export const rows: BenchRow[] = [
  program('cmp', (context) => [context.state, copyOf(context)], { prepare: makeCopy }),
  program('sha256sum', ({ state }) => [state]),
  copying('cp', [], ({ state }) => state),
  copying('cp --sparse=never', ['--sparse=never'], imageOf, { prepare: makeImage }),
];
