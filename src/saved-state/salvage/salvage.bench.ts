import { closeSync, copyFileSync, existsSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { openFile } from '../../../formats/files/source.ts';
import type { BenchContext, BenchRow } from '../../bench/row.ts';
import { salvage } from './salvage.ts';

/** Places of the damages of the copy, as shares of its size. */
const DAMAGES = [0.2, 0.5, 0.8];
const DAMAGE = Buffer.alloc(64, 0x5a);

/** A copy of the state with damage in three places; kept for later rounds. */
function damagedCopy({ folder, state, ramMib }: BenchContext): string {
  const path = join(folder, `damaged-${ramMib}.sav`);
  if (existsSync(path)) return path;
  copyFileSync(state, path);
  const { size } = statSync(path);
  const file = openSync(path, 'r+');
  for (const share of DAMAGES) writeSync(file, DAMAGE, 0, DAMAGE.length, Math.floor(size * share));
  closeSync(file);
  return path;
}

export const rows: BenchRow[] = [
  {
    name: 'salvage a damaged state',
    peakRssMib: 96,
    against: [{ row: 'deep verify' }],
    async run(context) {
      const path = damagedCopy(context);
      const start = performance.now();
      const source = await openFile(path);
      const sink = await openFileSink(join(context.folder, 'salvaged.sav'), { force: true });
      const { complete } = await salvage(source, sink);
      await sink.abort();
      await source.close();
      if (complete) throw new Error('A damaged state counts as complete');
      return performance.now() - start;
    },
  },
];
