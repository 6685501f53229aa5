import type { ByteSource } from '../../formats/files/source.ts';
import { FOUR_GIB } from '../../formats/sizes.ts';
import { type ExtractOptions, extract } from '../saved-state/extract/extract.ts';
import { memoryMap } from '../saved-state/layout/memory-map.ts';
import { mmio2Ranges } from '../saved-state/layout/named-ranges.ts';
import type { SavedState } from '../saved-state/reading/state.ts';
import { verify } from '../saved-state/verify/verify.ts';
import { MemoryTarget, sha256, type Truth } from './states.ts';

/** Parts of a state that are compared with its truth. */
export interface Compared {
  /** The unit list with its offsets and sizes: not of a converted state. */
  units?: boolean;
  /** ROMs and MMIO2 ranges by their names, which versions 6 to 9 hold in part only. */
  ranges?: boolean;
}

/** Compares a state with what others have found in it. */
export async function compareWithTruth(
  source: ByteSource,
  truth: Truth,
  { units = true, ranges = true }: Compared = {},
): Promise<{ compared: number; differences: string[] }> {
  const comparison = new Comparison(source, truth);
  const { verdict, state } = await verify(source);
  comparison.expectSame('verdict', verdict, 'whole');
  if (!state) return comparison;
  if (units) comparison.compareUnits(state);
  comparison.compareRegisters(state);
  await comparison.compareRam(state);
  if (ranges) await comparison.compareRanges(state);
  return comparison;
}

class Comparison {
  compared = 0;
  readonly differences: string[] = [];
  readonly #source: ByteSource;
  readonly #truth: Truth;

  constructor(source: ByteSource, truth: Truth) {
    this.#source = source;
    this.#truth = truth;
  }

  expectSame(what: string, found: unknown, expected: unknown): void {
    this.compared++;
    if (JSON.stringify(found) !== JSON.stringify(expected))
      this.differences.push(`${what}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
  }

  compareUnits(state: SavedState): void {
    this.expectSame(
      'units',
      state.units.map(({ name, instance, version, pass, offset, size, payloadSize }) => [
        name,
        instance,
        version,
        pass,
        offset,
        size,
        payloadSize,
      ]),
      this.#truth.units.map((u) => [u.name, u.instance, u.version, u.pass, u.offset, u.fileSize, u.payloadSize]),
    );
  }

  compareRegisters(state: SavedState): void {
    this.expectSame(
      'registers',
      state.cpum?.cpus.map((c) => [c.cr0, c.cr2, c.cr3, c.cr4, c.efer].map(Number)),
      this.#truth.vcpus.map((c) => [c.cr0, c.cr2, c.cr3, c.cr4, c.efer].map(Number)),
    );
  }

  async compareRam(state: SavedState): Promise<void> {
    const { low, high } = this.#truth.ram;
    const lowRange = { start: 0, end: Number(low.end) };
    this.expectSame('RAM', await this.#hashOf({ range: lowRange }), low.sha256);
    this.expectSame('memory as seen', await this.#hashOf({ asSeen: true, range: lowRange }), low.visibleSha256);
    if (!high) return;
    const ends = memoryMap(state).filter(({ kind }) => kind === 'ram');
    const end = Math.max(...ends.map((region) => region.end));
    this.expectSame('RAM from 4 GiB', await this.#hashOf({ range: { start: FOUR_GIB, end } }), high.sha256);
  }

  async compareRanges(state: SavedState): Promise<void> {
    const { rom, mmio2, memoryMap: map } = this.#truth;
    for (const { description, virginSha256, visibleSha256, shadowSha256 } of rom) {
      this.expectSame(`ROM ${description}`, await this.#hashOf({ rom: description }), virginSha256);
      this.expectSame(
        `ROM ${description} as seen`,
        await this.#hashOf({ rom: description, asSeen: true }),
        visibleSha256,
      );
      if (shadowSha256)
        this.expectSame(
          `ROM ${description} shadow`,
          await this.#hashOf({ rom: description, shadow: true }),
          shadowSha256,
        );
    }
    for (const range of mmio2) {
      this.expectSame(`MMIO2 ${range.description}`, await this.#hashOf({ mmio2: range.description }), range.sha256);
      if (!map) continue;
      const own = mmio2Ranges(state).find(({ name }) => name === range.description);
      const expected = range.mappedAt === undefined ? undefined : Number(range.mappedAt);
      this.expectSame(`place of ${range.description}`, own?.isMapped ? own.start : undefined, expected);
    }
  }

  async #hashOf(options: ExtractOptions): Promise<string> {
    const target = new MemoryTarget();
    await extract(this.#source, target, options);
    return sha256(target.bytes);
  }
}
