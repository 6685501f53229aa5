import { countText } from '../../formats/amounts.ts';
import { hex } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { FOUR_GIB, GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { openMachine } from '../../src/machine/opened-machine.ts';
import type { AddressSpace } from '../../src/paging/address-space.ts';
import { type MappedArea, overviewOf, PAGE_USES, type PhysicalUses } from '../../src/paging/mapped-areas.ts';
import { MODE_NAMES } from '../../src/paging/modes.ts';
import { sizeText } from '../terminal/size-text.ts';
import { gridOf, legendOf, MOST_CELLS, majorityOf, mapOf } from './charts.ts';
import { type Html, html, MOST_ROWS, NOTHING, tableOf } from './html.ts';
import { mayLack } from './may-lack.ts';

/** Maximum number of rows that are shown unfolded. */
const FEW_ROWS = 16;
/** Maximum number of stretches into which guest-physical memory is divided. */
const MOST_STRETCHES = 1 << 20;

const COLOURS = ['hole', 'sparse', 'data', 'text', 'dense'] as const;
const USE_WORDS: Readonly<Record<(typeof PAGE_USES)[number], string>> = {
  unmapped: 'not mapped',
  'system data': 'of the system only',
  'system code': 'of the system only, executable',
  'user data': 'open to user mode',
  'user code': 'open to user mode, executable',
};

/** A map of the first CPU's virtual memory; nothing where it has no page tables. */
export async function pagingSection(
  source: ByteSource,
  end: number,
  signal: AbortSignal,
  onProgress: (doing: string, done: number) => void,
): Promise<Html> {
  try {
    const machine = await openMachine(source, { signal, onProgress });
    try {
      return await partOf(machine.space(), end, signal);
    } finally {
      machine.close();
    }
  } catch (error) {
    if (mayLack(error, signal)) return NOTHING;
    throw error;
  }
}

async function partOf(space: AddressSpace, end: number, signal: AbortSignal): Promise<Html> {
  const { walker, mode } = space;
  if (!walker)
    return html`<h3>Virtual memory of CPU 0</h3><p class="note">${MODE_NAMES[mode]} mode, without page tables: virtual addresses are physical ones.</p>`;
  const isWide = walker.scheme.addressBits > 32;
  const stretch = PAGE_SIZE * Math.max(1, Math.ceil(end / PAGE_SIZE / MOST_STRETCHES));
  const gap = isWide ? GIB : 4 * MIB;
  const { areas, physical, complete } = await overviewOf(space, { gap, end, stretch }, signal);
  const half = 2n ** BigInt(walker.scheme.addressBits - 1);
  const maps = isWide
    ? [
        halfMap(
          'Lower half',
          areas.filter((area) => area.start < half),
          0n,
          half,
        ),
        halfMap(
          'Upper half',
          areas.filter((area) => area.start >= half),
          (1n << 64n) - half,
          half,
        ),
      ]
    : [halfMap('Addresses', areas, 0n, BigInt(FOUR_GIB))];
  return html`<h3>Virtual memory of CPU 0, to scale</h3><p class="note">${MODE_NAMES[mode]} paging, root at ${hex(walker.root)}; ${countText(areas.length, 'area')}${complete ? '' : ', and more: the tables map the same again and again'}. Narrow areas are drawn wider than they are. savkit pagetable lists every entry, of other CPUs as well.</p>${maps}${areaTable(areas)}${usePart(physical)}`;
}

function halfMap(name: string, areas: readonly MappedArea[], base: bigint, size: bigint): Html {
  if (areas.length === 0) return NOTHING;
  const stretches = areas.map((area) => ({
    start: Number(area.start - base),
    end: Number(area.end - base),
    colour: colourOf(area),
    title: `${hex(area.start)}–${hex(area.end - 1n)}: ${sizeText(area.mapped)} mapped`,
  }));
  const label = (at: number) => hex(base + BigInt(Math.min(at, Number(size) - 1)));
  return mapOf(`${name} of virtual memory`, Number(size), stretches, label);
}

function colourOf({ user, executable }: MappedArea): string {
  return COLOURS[1 + (executable > 0 ? 1 : 0) + (user > 0 ? 2 : 0)];
}

function areaTable(areas: readonly MappedArea[]): Html {
  const columns = ['from', 'to', 'mapped', 'open to user mode', 'writable', 'executable'];
  const rows = areas
    .slice(0, MOST_ROWS)
    .map((area) => [
      hex(area.start),
      hex(area.end - 1n),
      ...[area.mapped, area.user, area.writable, area.executable].map((size) => sizeText(size)),
    ]);
  const open = areas.length <= FEW_ROWS ? html` open` : NOTHING;
  return html`<details${open}><summary>${countText(areas.length, 'area')}</summary>${tableOf(
    'Areas of virtual memory',
    columns.map((title) => ({ title, isNumber: true })),
    rows,
  )}</details>`;
}

function usePart({ uses, stretch }: PhysicalUses): Html {
  const perCell = Math.max(1, Math.ceil(uses.length / MOST_CELLS));
  const cells = Array.from({ length: Math.ceil(uses.length / perCell) }, (_, i) =>
    majorityOf(uses.subarray(i * perCell, (i + 1) * perCell), PAGE_USES.length),
  );
  const titleOf = (cell: number) => `${hex(cell * perCell * stretch)}: ${USE_WORDS[PAGE_USES[cells[cell]]]}`;
  return html`<h3>Guest-physical memory by access</h3>${gridOf(
    'Guest-physical memory by mapping',
    cells.map((use) => COLOURS[use]),
    titleOf,
  )}${legendOf(PAGE_USES.map((use, i) => [COLOURS[i], USE_WORDS[use]] as const))}<p class="note">By the page tables of CPU 0; a cell is ${sizeText(perCell * stretch)}, and shows the use that most of its mapped pages have. Of several mappings of a page all rights together count.</p>`;
}
