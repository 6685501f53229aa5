import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnsupportedError } from '../../../formats/errors.ts';
import { type ByteSource, openFile } from '../../../formats/files/source.ts';
import { pgmVersion } from '../../../formats/pgm/versions.ts';
import { FOUR_GIB } from '../../../formats/sizes.ts';
import { compareWithTruth } from '../../testing/against-truth.ts';
import { convertFile } from '../../testing/convert-file.ts';
import { forEachSample } from '../../testing/sample-files.ts';
import { STATES_FOLDER, type Truth } from '../../testing/states.ts';
import { diffStates } from '../compare/diff.ts';
import { inspect } from '../describe/inspect.ts';
import { deriveLayout, type MachineLayout } from '../layout/machine-layout.ts';
import type { ConvertReport, ConvertRun } from './convert.ts';

// Every container × every pgm version × live and flattened: converted, compared with the truth, and converted back to
// the start. npm run campaign -- convert FOLDER… (default: the bundled states)

const work = mkdtempSync(join(tmpdir(), 'savkit-matrix-'));
const folders = process.argv.length > 2 ? process.argv.slice(2) : [STATES_FOLDER];
const counts = { passed: 0, failed: 0, refused: 0 };

try {
  await forEachSample(folders, trySample);
} finally {
  rmSync(work, { recursive: true });
}
console.log(`${counts.refused} combinations were refused, as their formats can't hold the state`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;

async function trySample(name: string, path: string, truth: Truth): Promise<void> {
  const source = await openFile(path);
  const layout = await layoutOf(source);
  const { live } = (await inspect(source)).state.header;
  for (const container of ['2.0', '1.2', '1.1'] as const) {
    for (const pgm of [6, 7, 8, 9, 10, 11, 12, 13, 14]) {
      for (const flatten of live ? [false, true] : [false]) {
        await tryConversion(name, source, truth, { container, pgm, flatten, allowLoss: true, layout }, live);
      }
    }
  }
  await source.close();
}

async function tryConversion(
  name: string,
  source: ByteSource,
  truth: Truth,
  run: ConvertRun,
  live: boolean,
): Promise<void> {
  const there = join(work, 'there.sav');
  const back = join(work, 'back.sav');
  const problems: string[] = [];
  const mayRefuse = refusal(truth, run, live);
  try {
    const report = await convertFile(source, there, run);
    if (!report.proof?.equal)
      problems.push(`the proof failed: ${JSON.stringify(report.proof?.differences.slice(0, 3))}`);
    if (mayRefuse) problems.push(`it was not refused (${mayRefuse})`);
    const converted = await openFile(there);
    problems.push(
      ...(
        await compareWithTruth(converted, truth, {
          units: false,
          ranges: (run.pgm ?? 0) >= 10 && truth.pgm.version >= 10,
        })
      ).differences,
    );
    const { header, pgm } = (await inspect(source)).state;
    const home = {
      container: header.format,
      pgm: pgm?.version,
      allowLoss: true,
      layout: run.layout,
    };
    await convertFile(converted, back, home);
    await converted.close();
    problems.push(...(await differences(source, back, report)));
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    if (mayRefuse) counts.refused++;
    else problems.push(`it was refused: ${error.message}`);
    if (mayRefuse) return;
  }
  const what = `${name} → V${run.container}, pgm ${run.pgm}${run.flatten ? ', flattened' : ''}`;
  if (problems.length === 0) counts.passed++;
  else counts.failed++;
  for (const problem of problems) console.log(`FAILED ${what}: ${problem}`);
}

/** Losses of a state after two conversions, there and back, except those that the first conversion reported. */
async function differences(source: ByteSource, path: string, { losses }: ConvertReport): Promise<string[]> {
  const back = await openFile(path);
  const { units, fields, memory } = await diffStates(source, back);
  await back.close();
  // Of a shadowed ROM, only the bytes that the guest reads were kept; these are compared with the truth.
  const lostRoms = losses.some((loss) => loss.startsWith('shadow ROM'));
  return [
    ...memory
      .filter(({ range }) => !(lostRoms && range.startsWith('ROM')))
      .map(({ range }) => `${range} differs after the way back`),
    ...[...units.added, ...units.gone, ...units.changed].map((unit) => `unit ${unit} differs after the way back`),
    ...(losses.length > 0 ? [] : fields.map(({ field, a, b }) => `${field} is ${b} after the way back, was ${a}`)),
  ];
}

/** The reason why a format can't hold the state; undefined where it can. */
function refusal(truth: Truth, { container, pgm = 14, flatten }: ConvertRun, live: boolean): string | undefined {
  const target = pgmVersion(pgm);
  if (live && !flatten && (container !== '2.0' || target?.pages !== 'records')) return 'it has passes';
  if (truth.vcpus.length > 1 && target?.basic !== 'per-cpu') return 'it has several CPUs';
  if (pgm === 6 && truth.ram.size > FOUR_GIB - 0x2000_0000) return 'it has RAM above 4 GiB';
  return undefined;
}

/** The layout that the state tells; MMIO2 ranges that were not mapped get a place in the hole. */
async function layoutOf(source: ByteSource): Promise<MachineLayout> {
  const { state } = await inspect(source);
  const { layout } = deriveLayout(state);
  let address = 0xe800_0000;
  for (const range of layout.mmio2.filter((each) => Number.isNaN(each.address))) {
    range.address = address;
    address += range.size;
  }
  return layout;
}
