import { openScratchFile, type ScratchFile } from '../../formats/files/scratch-file.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { WrittenFile } from '../../formats/files/written-file.ts';
import { LOW_HOLE_START } from '../../formats/pgm/ranges.ts';
import { extract } from '../saved-state/extract/extract.ts';
import { holesOf, memoryMap } from '../saved-state/layout/memory-map.ts';
import type { SavedState } from '../saved-state/reading/state.ts';
import { type ImageStretch, type RamPlan, ramPlan } from './ram-plan.ts';

/** A PC's ROMs lie between here and 1 MiB, its video memory between LOW_HOLE_START and here. */
const ROMS_START = 0xc0000;
const ROMS_END = 0x100000;

/** VirtualBox's name of video memory. */
export const VIDEO_MEMORY = 'VRam';

/** Memory of a state as the guest sees it, and its video memory, in temporary files with holes. */
export class GuestImage {
  readonly memory: ByteSource;
  /** Absent for a machine without graphics. */
  readonly video: ByteSource | undefined;
  /** Bytes of RAM. */
  readonly ramSize: number;
  /** Places of the RAM in QEMU. */
  readonly plan: RamPlan;
  /** Unused ranges among the ROMs. */
  readonly #empty: readonly { start: number; end: number }[];
  readonly #files: readonly ScratchFile[];

  private constructor(memory: ByteSource, video: ByteSource | undefined, state: SavedState, files: ScratchFile[]) {
    this.memory = memory;
    this.video = video;
    this.plan = ramPlan(state);
    this.ramSize = this.plan.stretches.reduce((sum, { size }) => sum + size, 0);
    this.#empty = holesOf(memoryMap(state).filter(({ kind }) => kind !== 'mmio'))
      .map(({ start, end }) => ({ start: Math.max(start, ROMS_START), end: Math.min(end, ROMS_END) }))
      .filter(({ start, end }) => start < end);
    this.#files = files;
  }

  /** @param source seekable @throws FormatError for damage */
  static async open(source: ByteSource, state: SavedState, signal?: AbortSignal): Promise<GuestImage> {
    const files: ScratchFile[] = [];
    const image = async (part: { asSeen: true } | { mmio2: string }) => {
      const scratch = openScratchFile();
      files.push(scratch);
      const target = new WrittenFile(scratch.name, scratch.descriptor);
      await extract(source, target, { ...part, format: 'sparse', signal });
      return target.readBack();
    };
    try {
      const memory = await image({ asSeen: true });
      const hasVideo = state.pgm?.config?.mmio2.some(({ description }) => description === VIDEO_MEMORY) ?? false;
      const video = hasVideo ? await image({ mmio2: VIDEO_MEMORY }) : undefined;
      return new GuestImage(memory, video, state, files);
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
  }

  close(): void {
    for (const file of this.#files) file.close();
  }

  /** Stretches that have the same contents in both machines: all but the window of video memory. */
  get comparable(): readonly ImageStretch[] {
    return this.plan.stretches.flatMap((stretch) =>
      stretch.gcPhys > 0
        ? [stretch]
        : [
            { ...stretch, size: Math.min(stretch.size, LOW_HOLE_START) },
            ...(stretch.size > ROMS_START
              ? [{ ...stretch, gcPhys: ROMS_START, offset: ROMS_START, size: stretch.size - ROMS_START }]
              : []),
          ],
    );
  }

  /** Reads guest-physical memory; unused ranges among the ROMs read as ones, as they do for the guest. */
  async read(target: Uint8Array, gcPhys: number): Promise<void> {
    const count = await this.memory.read(target, gcPhys);
    target.fill(0, count);
    for (const { start, end } of this.#empty)
      if (start < gcPhys + target.length && end > gcPhys)
        target.fill(0xff, Math.max(start - gcPhys, 0), Math.min(end - gcPhys, target.length));
  }
}
