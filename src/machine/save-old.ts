import type { PgmBasic } from '../../formats/pgm/head.ts';
import type { PageRun } from '../../formats/pgm/old-ranges.ts';
import { OldPgmWriter } from '../../formats/pgm/old-writer.ts';
import type { PgmVersion } from '../../formats/pgm/versions.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { type OldPages, type OldRangeToWrite, OldUnitWriter } from '../saved-state/old/old-unit.ts';
import type { Machine } from './machine.ts';

/** Writes a machine's memory as a pgm unit of versions 6 to 9, in the ranges that it was loaded from. */
export async function writeOldMemory(
  { memory, state }: Machine,
  basic: PgmBasic,
  version: PgmVersion,
  out: ContainerWriter,
): Promise<void> {
  const { oldRanges = [], pageTypes = 'original' } = state.pgm ?? {};
  const writer = new OldPgmWriter(out, version, state.header.widths, basic, pageTypes);
  await new OldUnitWriter(out, writer, version, pageTypes, new MachinePages(memory)).write(oldRanges);
}

const ZERO_PAGE = new Uint8Array(PAGE_SIZE);

/** Pages of a machine by their addresses. */
class MachinePages implements OldPages<PageRun> {
  readonly #memory: GuestMemory;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  contentOf(
    { start }: OldRangeToWrite<PageRun>,
    run: PageRun,
    i: number,
    part: 'ram' | 'mmio2' | 'rom' | 'rom-shadow',
  ): Uint8Array {
    const gcPhys = start + (run.page + i) * PAGE_SIZE;
    const id = this.#pageId(gcPhys, part);
    return id === 0 ? ZERO_PAGE : this.#memory.pages.backing.pageBytes(id);
  }

  protectionOf({ start }: OldRangeToWrite<PageRun>, run: PageRun, i: number): number {
    const gcPhys = start + (run.page + i) * PAGE_SIZE;
    const rom = this.#memory.roms.find(gcPhys);
    return rom ? rom.protection[(gcPhys - rom.start) / PAGE_SIZE] : 1;
  }

  #pageId(gcPhys: GuestPhys, part: string): number {
    const { ranges, mmio2, roms } = this.#memory;
    if (part === 'ram') {
      const range = ranges.find(gcPhys);
      return range ? range.pageId[range.pageOf(gcPhys)] : 0;
    }
    if (part === 'mmio2') {
      const range = mmio2.at(gcPhys);
      return range ? range.pageId[(gcPhys - (range.address ?? gcPhys)) / PAGE_SIZE] : 0;
    }
    const rom = roms.find(gcPhys);
    if (!rom) return 0;
    const page = (gcPhys - rom.start) / PAGE_SIZE;
    return part === 'rom' ? rom.virginId[page] : rom.shadowId(page);
  }
}
