import type { FailingDisk } from '../../../formats/files/failing-disk.ts';
import type { ByteSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { MAPPED_RAM } from '../../../formats/qemu/constants.ts';
import { QemuStreamWriter, type WrittenSection } from '../../../formats/qemu/writing/stream-writer.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import type { WalkOptions } from '../reading/walk.ts';
import type { LostPages } from './page-sets.ts';
import { hasMarks, keptOthers, type QemuSurvey } from './survey-qemu.ts';

export interface WriteSalvagedOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** The disk, which may fail at some bytes. */
  disk: FailingDisk;
  /** Pages that become zeros. */
  filled?: readonly LostPages[];
  /** A section that keeps QEMU from loading the state. */
  marker?: Omit<WrittenSection, 'id'>;
}

/** Reads the damaged state again, and writes its good parts as a plain stream. */
export async function writeSalvagedQemu(
  source: ByteSource,
  sink: ByteSink,
  { state, kept, description, pages }: QemuSurvey,
  { filled = [], marker, ...options }: WriteSalvagedOptions,
): Promise<void> {
  const { configuration, blocks, layout, ramSections } = state;
  const others = keptOthers(state);
  const capabilities = configuration.capabilities.filter((name) => name !== MAPPED_RAM);
  const ramId = ramSections[0]?.id ?? 0;
  const ids = new Ids([ramId, ...others.map(({ id }) => id)]);
  const writer = await QemuStreamWriter.begin(sink, {
    configuration: { ...configuration, capabilities },
    blocks,
    layout,
    ramId,
    footers: hasMarks(state),
    early: others.filter(({ type }) => type === 'full'),
  });
  try {
    const take = (batch: PageBatch) => {
      // Older copies of pages whose last one is lost.
      if (options.disk.unreadable.length > 0) batch.retain((i) => pages.has(batch, i));
      return writer.take(batch);
    };
    await readQemuState(source, { ...options, layout, sink: { take }, unfinished: true, onDamage: () => {} });
    const turns = Turns.rare(options.signal);
    for (const { block: name, first, last } of filled) {
      const block = writer.blocks.find(name);
      for (let page = first; block && page <= last; page++) {
        if (turns.areDue) await turns.give();
        await writer.put(block, page * PAGE_SIZE);
      }
    }
    await writer.endMemory(others);
    for (const section of kept) await writer.device({ ...section, id: ids.take(section.id) });
    if (marker) await writer.device({ ...marker, id: ids.take(ramId) });
    await writer.end(description?.json);
  } finally {
    writer.release();
  }
}

/** Gives each section a unique id, even if damage has made two ids equal. */
class Ids {
  readonly #taken: Set<number>;

  constructor(taken: readonly number[]) {
    this.#taken = new Set(taken);
  }

  take(wanted: number): number {
    let id = wanted;
    while (this.#taken.has(id)) id = (id + 1) >>> 0;
    this.#taken.add(id);
    return id;
  }
}
