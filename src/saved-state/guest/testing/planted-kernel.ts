import type { Machine } from '../../../machine/machine.ts';

// A pretended Linux kernel in a machine's memory: page tables of four levels, the kernel's name, a note VMCOREINFO. All
// addresses by hand.

export const RELEASE = '6.1.0-savkit';
/** Choices of KASLR: physical and virtual base, and the start of the direct map. */
export const PHYS_BASE = 0x180000;
export const KERNEL_MAP = 0xffffffff80000000n;
export const DIRECT_MAP = 0xffff9a4000000000n;
export const STACK_MAP = 0xffffb12300008000n;
/** Physical places, in RAM from 2 MiB on. */
export const [ROOT, IMAGE, NOTE, STACK] = [0x200000, 0x280000, 0x2c0000, 0x2d0000];
const TABLES = [0x201000, 0x202000, 0x203000, 0x204000, 0x205000, 0x206000, 0x207000, 0x208000, 0x209000];
const IMAGE_PAGES = 16;
const UTS = 0x3000;
const SWAPPER = KERNEL_MAP + BigInt(ROOT - PHYS_BASE);
export const KERNEL_OFFSET = 0x1c00000n;
/** Virtual address of the image. */
export const IMAGE_MAP = KERNEL_MAP + BigInt(IMAGE - PHYS_BASE);

export const INFO = [
  `OSRELEASE=${RELEASE}`,
  'BUILD-ID=00112233445566778899aabbccddeeff00112233',
  'PAGESIZE=4096',
  `SYMBOL(init_uts_ns)=${(IMAGE_MAP + BigInt(UTS)).toString(16)}`,
  'OFFSET(uts_namespace.name)=4',
  `SYMBOL(swapper_pg_dir)=${SWAPPER.toString(16)}`,
  'NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129',
  `NUMBER(phys_base)=${PHYS_BASE}`,
  `KERNELOFFSET=${KERNEL_OFFSET.toString(16)}`,
  '',
].join('\n');

/** A note as Linux keeps it. */
export function noteOf(text: string, name = 'VMCOREINFO', type = 0, size = text.length): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(name.length + 1, 0);
  header.writeUInt32LE(size, 4);
  header.writeUInt32LE(type, 8);
  header.write(name, 12, 'latin1');
  return Buffer.concat([header, Buffer.from(text, 'latin1')]);
}

/** Writes tables, the image and its name; the note is the caller's. */
export function plantKernel({ memory }: Machine): void {
  const entry = (table: number, index: number, value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    memory.write(table + 8 * index, bytes);
  };
  for (const table of [ROOT, ...TABLES]) memory.write(table, new Uint8Array(4096));
  const path = (address: bigint, tables: readonly number[]) => {
    const indexes = [39n, 30n, 21n].map((shift) => Number((address >> shift) & 511n));
    [ROOT, ...tables].slice(0, tables.length).forEach((table, level) => {
      entry(table, indexes[level], BigInt(tables[level]) | 0x63n);
    });
    return Number((address >> 12n) & 511n);
  };
  // All of RAM, in pages of 2 MiB.
  path(DIRECT_MAP, [TABLES[0], TABLES[1]]);
  for (let i = 0; i < 2; i++) entry(TABLES[1], Number((DIRECT_MAP >> 21n) & 511n) + i, BigInt(i * 0x200000) | 0xe3n);
  const imageIndex = path(IMAGE_MAP, [TABLES[2], TABLES[3], TABLES[4]]);
  for (let i = 0; i < IMAGE_PAGES; i++) entry(TABLES[4], imageIndex + i, BigInt(IMAGE + 4096 * i) | 0x63n);
  // A stack of two pages that are no neighbours in physical memory.
  const stackIndex = path(STACK_MAP, [TABLES[5], TABLES[6], TABLES[7]]);
  entry(TABLES[7], stackIndex, BigInt(STACK + 0x3000) | 0x63n);
  entry(TABLES[7], stackIndex + 1, BigInt(STACK) | 0x63n);
  for (let i = 0; i < IMAGE_PAGES; i++) memory.write(IMAGE + 4096 * i, Buffer.from(`image page ${i} `));
  memory.write(STACK, Buffer.from('stack page 1'));
  memory.write(STACK + 0x3000, Buffer.from('stack page 0'));
  for (const [i, text] of ['Linux', 'savkit-guest', RELEASE, '#1 SMP', 'x86_64', '(none)'].entries())
    memory.write(IMAGE + UTS + 4 + 65 * i, Buffer.from(`${text}\0`, 'latin1'));
}

export function plantNote({ memory }: Machine, note: Uint8Array, at = NOTE): void {
  memory.write(at, note);
}
