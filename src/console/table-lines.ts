import { digits8, digits16 } from './numbers.ts';

// Lines of page tables in the columns of VirtualBox's debugger (console.md 3.1, 3.2).

/**
 * Kind of an entry: in a page table, a large page, a directory entry with a table, an entry of a higher level, a PAE
 * page-directory pointer.
 */
export type EntryShape = 'page' | 'large' | 'table' | 'upper' | 'pointer';

export interface TableEntry {
  virtual: bigint;
  /** Number of levels above. */
  depth: number;
  shape: EntryShape;
  value: bigint;
  /** Entries have 64 bits. */
  wide: boolean;
}

const LEGEND = [
  'P - Present',
  '| R/W - Read (0) / Write (1)',
  '| | U/S - User (1) / Supervisor (0)',
  '| | | A - Accessed',
  '| | | | D - Dirty',
  '| | | | | G - Global',
  '| | | | | | WT - Write thru',
  '| | | | | | |  CD - Cache disable',
  '| | | | | | |  |  AT - Attribute table (PAT)',
  '| | | | | | |  |  |  NX - No execute (K8)',
  '| | | | | | |  |  |  |  4K/4M/2M - Page size.',
  '| | | | | | |  |  |  |  |  AVL - a=allocated; m=mapping; d=track dirty;',
  '| | | | | | |  |  |  |  |  |     p=permanent; v=validated;',
];

/** The lines above a dump. The debugger cuts CR3 to 32 bits (console.md 3.1). */
export function headLines(cr3: bigint, cr4: bigint, isLong: boolean): string[] {
  const width = isLong ? 16 : 8;
  const title = `cr3=${digits8(cr3)} cr4=${digits8(cr4)}${isLong ? ' Long Mode' : ''}`;
  const columns = `${'Address'.padEnd(width)} Level  | | | | | | |  |  |  |  |  |    Page`;
  return [title, ...LEGEND.map((line) => ' '.repeat(width + 8) + line), columns];
}

/** Texts of an entry's fields, set and clear, by shape. */
interface Fields {
  d: [string, string];
  g: [string, string];
  at: [bit: number, set: string, clear: string] | undefined;
  size: string;
  avl: readonly [string, string][];
}
const PLAIN_BIT: [string, string] = ['1', '0'];
const FIELDS: Readonly<Record<EntryShape, Fields>> = {
  page: { d: ['D', '-'], g: ['G', '-'], at: [7, 'AT', '--'], size: '4K', avl: [['d', '-'], PLAIN_BIT, ['v', '-']] },
  // Large pages of 2 MiB are called 4M, too.
  large: { d: ['D', '-'], g: ['G', '-'], at: [12, 'AT', '--'], size: '4M', avl: [PLAIN_BIT, ['m', '-'], ['d', '-']] },
  table: { d: ['?', '.'], g: ['?', '.'], at: undefined, size: '4K', avl: [PLAIN_BIT, ['m', '-'], ['d', '-']] },
  upper: { d: ['?', '.'], g: ['!', '.'], at: [7, '!', '..'], size: '..', avl: [PLAIN_BIT, ['p', '-'], PLAIN_BIT] },
  pointer: { d: ['!', '.'], g: ['!', '.'], at: [7, '!', '..'], size: '..', avl: [PLAIN_BIT, ['p', '-'], PLAIN_BIT] },
};
const FIRST_AVL_BIT = 9;

/** @param plainBits show the three available bits as 1 and 0, since their meaning is the guest's own */
export function entryLine(
  { virtual, depth, shape, value, wide }: TableEntry,
  isLong: boolean,
  page: bigint,
  plainBits = false,
): string {
  const { d, g, at, size, avl } = FIELDS[shape];
  const has = (bit: number) => ((value >> BigInt(bit)) & 1n) === 1n;
  const pick = (bit: number, [set, clear]: [string, string]) => (has(bit) ? set : clear);
  const rights = shape === 'pointer' ? '     ' : `${has(1) ? 'W' : 'R'} ${has(2) ? 'U' : 'S'} ${has(5) ? 'A' : '-'}`;
  const nx = !wide || shape === 'pointer' ? '..' : has(63) ? 'NX' : '--';
  const attribute = at ? pick(at[0], [at[1], at[2]]) : '..';
  const available = avl.map((texts, i) => pick(FIRST_AVL_BIT + i, plainBits ? PLAIN_BIT : texts)).join('');
  const address = isLong ? digits16(virtual) : digits8(virtual);
  const head = `${address} ${depth}${' '.repeat(depth + 1)}|${' '.repeat(4 - depth)}P`;
  const flags =
    `${rights} ${pick(6, d)} ${pick(8, g)} ${has(3) ? 'WT' : '--'} ${has(4) ? 'CD' : '--'} ${attribute} ${nx} ` +
    `${size} ${available}`;
  return `${head} ${flags}  ${wide ? digits16(page) : digits8(page)}`;
}
