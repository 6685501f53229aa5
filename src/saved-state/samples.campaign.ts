import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openFile } from '../../formats/binary/source.ts';
import { FOUR_GIB } from '../../formats/units.ts';
import { MemoryTarget, sha256, type Truth } from '../testing/states.ts';
import { type ExtractOptions, extract } from './extract.ts';
import { memoryMap } from './memory-map.ts';
import { mmio2Ranges } from './unit-choice.ts';
import { verify } from './verify.ts';

// Compares further real states with their truth: node dist/src/saved-state/samples.campaign.js FOLDER…
// A folder holds NAME.sav or NAME.sav.xz with NAME.json beside it, as test-vectors/states does.

let compared = 0;
const differences: string[] = [];

for (const folder of process.argv.slice(2)) {
  for (const file of readdirSync(folder)) {
    const truthFile = join(folder, file.replace(/\.(sav|ssm)(\.xz)?$/, '.json'));
    if (/\.(sav|ssm)(\.xz)?$/.test(file) && existsSync(truthFile)) await compare(join(folder, file), JSON.parse(readFileSync(truthFile, 'utf8')) as Truth);
  }
}
for (const difference of differences) console.log(difference);
console.log(`${compared - differences.length} passed, ${differences.length} failed`);
process.exitCode = differences.length > 0 || compared === 0 ? 1 : 0;

async function compare(path: string, truth: Truth): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'savkit-samples-'));
  try {
    if (!path.endsWith('.xz')) return await compareFile(path, basename(path), truth);
    const plain = join(folder, 'state.sav');
    writeFileSync(plain, execFileSync('xz', ['-dc', path], { maxBuffer: FOUR_GIB }));
    return await compareFile(plain, basename(path), truth);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function compareFile(path: string, name: string, truth: Truth): Promise<void> {
  const expectSame = (what: string, found: unknown, expected: unknown) => {
    compared++;
    if (JSON.stringify(found) !== JSON.stringify(expected))
      differences.push(`${name}: ${what}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
  };
  const source = await openFile(path);
  const image = async (options: ExtractOptions) => {
    const target = new MemoryTarget();
    await extract(source, target, options);
    return sha256(target.bytes);
  };
  const { verdict, state } = await verify(source);
  expectSame('verdict', verdict, 'whole');
  if (!state) return;
  const units = state.units.map(({ name, instance, version, pass, offset, size, payloadSize }) => [name, instance, version, pass, offset, size, payloadSize]);
  expectSame(
    'units',
    units,
    truth.units.map((u) => [u.name, u.instance, u.version, u.pass, u.offset, u.fileSize, u.payloadSize]),
  );
  expectSame(
    'registers',
    state.cpum?.cpus.map((c) => [c.cr0, c.cr2, c.cr3, c.cr4, c.efer].map(Number)),
    truth.vcpus.map((c) => [c.cr0, c.cr2, c.cr3, c.cr4, c.efer].map(Number)),
  );
  const { low, high } = truth.ram;
  expectSame('RAM', await image({ range: { start: 0, end: Number(low.end) } }), low.sha256);
  expectSame('memory as seen', await image({ asSeen: true, range: { start: 0, end: Number(low.end) } }), low.visibleSha256);
  const end = Math.max(
    ...memoryMap(state)
      .filter(({ kind }) => kind === 'ram')
      .map((region) => region.end),
  );
  if (high) expectSame('RAM from 4 GiB', await image({ range: { start: FOUR_GIB, end } }), high.sha256);
  for (const rom of truth.rom) {
    expectSame(`ROM ${rom.description}`, await image({ rom: rom.description }), rom.virginSha256);
    expectSame(`ROM ${rom.description} as seen`, await image({ rom: rom.description, asSeen: true }), rom.visibleSha256);
    if (rom.shadowSha256) expectSame(`ROM ${rom.description} shadow`, await image({ rom: rom.description, shadow: true }), rom.shadowSha256);
  }
  for (const range of truth.mmio2) {
    expectSame(`MMIO2 ${range.description}`, await image({ mmio2: range.description }), range.sha256);
    const mapped = mmio2Ranges(state).find(({ name: own }) => own === range.description);
    if (truth.memoryMap)
      expectSame(
        `place of ${range.description}`,
        mapped?.isMapped ? mapped.start : undefined,
        range.mappedAt === undefined ? undefined : Number(range.mappedAt),
      );
  }
  await source.close();
}
