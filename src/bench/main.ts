import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkAlignment } from './check-alignment.ts';
import { type FoundRow, findRows } from './find-rows.ts';
import { resultsText } from './print-results.ts';
import {
  keepResults,
  keptResults,
  LATEST,
  type Results,
  rate,
  spread,
  summarizeFigures,
  summarizeSizes,
} from './results.ts';
import { contextOf, runRounds, runSizes } from './run-rows.ts';

// npm run bench [-- NAME… --rounds N --sizes MIB,…]: speed as ratios within one run, peak memory at several sizes. A
// run of all rows is kept.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    ram: { type: 'string', default: '1024' },
    sizes: { type: 'string', default: '128,1024,4096' },
    list: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const ramMib = Number(values.ram);
const rams = values.sizes.split(',').filter(Boolean).map(Number);
const folder = process.env.SAVKIT_BENCH_DIR ?? join(tmpdir(), 'savkit-bench');

const found = await findRows(positionals);
if (values.list) {
  for (const { name, missing } of found) console.log(name, missing?.() ? `(${missing()})` : '');
  process.exit(0);
}
mkdirSync(folder, { recursive: true });
const contextFor = (mib = ramMib) => contextOf(folder, mib);
console.log(checkAlignment((await contextFor()).state));
const missing: Record<string, string> = {};
const rows: FoundRow[] = [];
for (const row of found.toSorted((a, b) => Number(b.replacesState ?? false) - Number(a.replacesState ?? false))) {
  const why = row.missing?.();
  if (why !== undefined) {
    missing[row.name] = why;
    continue;
  }
  await row.prepare?.(await contextFor(row.ramMib));
  rows.push(row);
}
const { samples, scaling: scalings } = await runRounds(rows, contextFor, rounds, missing);
const good = rows.filter(({ name }) => !(name in missing));
const scaling = scalings.length > 0 ? spread(scalings) : undefined;
const sized = rams.length === 0 ? [] : good.filter(({ peakRssMib }) => peakRssMib !== undefined);
const contexts = sized.length > 0 ? await Promise.all(rams.map((ram) => contextOf(folder, ram))) : [];
const bySize = await runSizes(sized, contexts, missing);
const results: Results = {
  ramMib,
  rounds,
  rows: good.map(({ name }) => {
    const runs = samples.get(name) ?? [];
    return { name, ms: spread(runs.map(({ ms }) => ms)), rss: Math.max(...runs.map(({ rss }) => rss)) };
  }),
  ratings: rate(good, samples, scaling?.median ?? 1),
  figures: summarizeFigures(samples),
  sizes: summarizeSizes(bySize, sized, rams, ramMib),
  scaling,
  missing,
};
console.log(`\n${resultsText(results, keptResults(ramMib))}`);
if (positionals.length === 0) {
  keepResults(results);
  console.log(`kept in ${LATEST}; "before" is the result that was kept there`);
}
