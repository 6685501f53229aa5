import { countText } from '../../../formats/amounts.ts';
import { isRam } from '../../../formats/pgm/page-batch.ts';
import { cpuRegisters } from '../qemu/cpu-registers.ts';
import { expectedPages } from '../qemu/plugged-memory.ts';
import { qemuFields } from '../qemu/qemu-fields.ts';
import type { BlockSummary, QemuState } from '../qemu/qemu-state.ts';
import { FAMILIES } from '../reading/families.ts';
import type { MemoryRegion, NamedRange } from '../reading/memory-region.ts';
import { RAM_RANGE, type RangeNames, type StateCpus, type StateMemory, type StateView } from '../reading/state-view.ts';
import { titleOf } from './qemu-title.ts';

/** A state of QEMU, as commands for all families see it. */
export function qemuView(state: QemuState): StateView {
  const { size, units, blocks } = state;
  const { machine } = state.configuration;
  const live = blocks.some(({ zeroRecords, rawRecords, pages }) => zeroRecords + rawRecords > pages);
  return {
    family: FAMILIES.qemu,
    title: `${titleOf(state)} of QEMU${machine === undefined ? '' : `, ${machine}`}`,
    format: titleOf(state),
    size,
    live,
    units,
    unitsHavePlaces: standsInFile(state),
    cpus: cpusOf(state),
    memory: memoryOf(state),
    fields: () => qemuFields(state),
  };
}

function standsInFile({ container }: QemuState): boolean {
  if (container.kind === 'libvirt') return ['raw', 'sparse'].includes(container.image.compression);
  return container.kind === 'stream';
}

function cpusOf({ cpus, devices }: QemuState): StateCpus {
  const registers = cpus.map(cpuRegisters);
  const hasCpus = devices.some(({ name }) => name === 'cpu');
  const missing = hasCpus
    ? 'the state has no description of its sections, or its CPUs are not x86'
    : 'the state has no section cpu';
  const isForeign = devices.some(({ name, described }) => name === 'cpu' && described) && cpus.length === 0;
  return { registers, isForeign, a20: cpus.map(({ a20 }) => a20), ...(registers.length > 0 ? {} : { missing }) };
}

const UNCERTAIN =
  'the state does not tell where all RAM lies: blocks are taken one after the other, DIMMs and the like from a whole ' +
  'GiB on';

function memoryOf(state: QemuState): StateMemory {
  const { blocks, layout } = state;
  const missing = missingPages(state);
  const leftOut = blocks.filter((block) => block.leftOut && block.isRam);
  return {
    regions: regionsOf(blocks),
    roms: [],
    mmio2: blocks.filter((block) => !block.isRam).map(namedRange),
    romProtection: new Map(),
    names: namesOf(blocks),
    ...(layout.known ? {} : { uncertain: UNCERTAIN }),
    ...(missing === 0 ? {} : { missing: `${countText(missing, 'page')} not in the state: zeros stand there` }),
    ...(leftOut.length > 0
      ? {
          elsewhere:
            `RAM ${leftOut.map(({ name }) => JSON.stringify(name)).join(', ')} lies in the file that the machine ` +
            'shares: --ram FILE',
        }
      : {}),
  };
}

/** Number of missing pages, of blocks with records only: a mapped file leaves out pages of zeros. */
function missingPages(state: QemuState): number {
  const told = state.blocks.filter(({ isMapped, leftOut }) => !isMapped && !leftOut);
  return told.reduce((sum, block) => sum + Math.max(0, expectedPages(block, state) - block.pages), 0);
}

/** Regions of memory, without blocks that lie over RAM: the chipset decides whether the guest sees those. */
function regionsOf(blocks: readonly BlockSummary[]): MemoryRegion[] {
  const ram = blocks
    .filter((block) => block.isRam)
    .flatMap((block) => block.ranges.map((range) => ({ ...range, kind: 'ram' as const, name: block.name })));
  const others = blocks
    .filter((block) => !block.isRam)
    .map(namedRange)
    .filter(({ isMapped, start, end }) => isMapped && !ram.some((range) => start < range.end && end > range.start));
  return [...ram, ...others].sort((a, b) => a.start - b.start);
}

function namedRange({ id, name, size, ranges }: BlockSummary): NamedRange {
  const start = ranges[0]?.start ?? 0;
  return { kind: 'mmio2', start, end: start + size, name, id, firstPage: 0, key: '', isMapped: ranges.length > 0 };
}

function namesOf(blocks: readonly BlockSummary[]): RangeNames {
  const addresses = new Map<string, number | undefined>([[RAM_RANGE, 0]]);
  for (const { name, ranges, isRam: ram } of blocks) if (!ram) addresses.set(blockName(name), ranges[0]?.start);
  return {
    naming: (kind, id, page) =>
      isRam(kind) ? { range: RAM_RANGE, page } : { range: blockName(blocks[id]?.name ?? String(id)), page },
    addressOf: (range) => addresses.get(range),
  };
}

function blockName(name: string): string {
  return `block ${name}`;
}
