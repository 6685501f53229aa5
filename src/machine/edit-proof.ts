import { hex } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../formats/pgm/page-sink.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { diffStates } from '../saved-state/compare/diff.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import type { AddressRange } from './edit.ts';
import type { Machine } from './machine.ts';

/** Differences of a written state from the one that its machine was loaded from. */
export interface EditProof {
  /** Nothing differs outside of the written bytes, and these agree with the machine. */
  holds: boolean;
  /** Number of pages whose content has changed. */
  changedPages: number;
  /** Unexpected differences. */
  differences: string[];
}

/**
 * Reads a saved machine back and compares it with its source and with the machine. @param written where the machine's
 * memory was written
 */
export async function proveEdit(
  source: ByteSource,
  result: ByteSource,
  machine: Machine,
  written: readonly AddressRange[],
  signal?: AbortSignal,
): Promise<EditProof> {
  const options = signal ? { signal } : {};
  const diff = await diffStates(source, result, options);
  const differences = [
    ...Object.entries(diff.units).flatMap(([what, units]) => units.map((unit) => `unit ${unit} ${what}`)),
    ...diff.fields.map(({ field, a, b }) => `${field}: ${a} became ${b}`),
  ];
  let changedPages = 0;
  for (const { range, runs, onlyIn } of diff.memory) {
    if (onlyIn) differences.push(`${range}: only in one of both`);
    for (const { from, to, mapped } of runs) {
      changedPages += (to - from) / PAGE_SIZE;
      for (let page = from; page < to; page += PAGE_SIZE)
        if (!mapped || !touches(written, page)) differences.push(`${range}: page at ${hex(page)}`);
    }
  }
  const pages = new WrittenPages(machine, written);
  await walkState(result, { ...options, skipCrc: true, sink: pages });
  for (const gcPhys of pages.lost()) differences.push(`page at ${hex(gcPhys)} differs from the written one`);
  return { holds: differences.length === 0, changedPages, differences };
}

function touches(stretches: readonly AddressRange[], page: GuestPhys): boolean {
  return stretches.some(({ start, end }) => page + PAGE_SIZE > start && page < end);
}

/** Compares the written pages of the file with the machine's. */
class WrittenPages implements PageSink {
  readonly #machine: Machine;
  readonly #written: readonly AddressRange[];
  /** Pages by address that are still to be found in the file. */
  readonly #missing = new Set<GuestPhys>();
  readonly #own = new Uint8Array(PAGE_SIZE);
  readonly #stored = new Uint8Array(PAGE_SIZE);

  constructor(machine: Machine, written: readonly AddressRange[]) {
    this.#machine = machine;
    this.#written = written;
    for (const { start, end } of written) {
      for (let page = start - (start % PAGE_SIZE); page < end; page += PAGE_SIZE) this.#missing.add(page);
    }
  }

  take(batch: PageBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const gcPhys = this.#addressOf(batch, i);
      if (gcPhys === undefined || !touches(this.#written, gcPhys)) continue;
      batch.decode(i, this.#stored, 0);
      this.#machine.memory.read(gcPhys, this.#own, 'device');
      if (Buffer.compare(this.#own, this.#stored) === 0) this.#missing.delete(gcPhys);
    }
  }

  lost(): Iterable<GuestPhys> {
    return this.#missing;
  }

  #addressOf(batch: PageBatch, i: number): GuestPhys | undefined {
    const { memory, state } = this.#machine;
    const kind = batch.kind[i];
    const id = batch.id[i];
    if (isRam(kind)) return batch.page[i] * PAGE_SIZE;
    if (kind === PageKind.ROM_VIRGIN || kind === PageKind.ROM_PROTECTION) return undefined;
    const start = !state.pgm?.config
      ? state.pgm?.oldRanges[id]?.start
      : isMmio2(kind)
        ? memory.mmio2.all[id - 1]?.address
        : memory.roms.all[id - 1]?.start;
    return start === undefined ? undefined : start + batch.page[i] * PAGE_SIZE;
  }
}
