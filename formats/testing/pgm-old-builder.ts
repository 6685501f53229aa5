import type { PgmBytes } from './pgm-bytes.ts';
import { type DevicePage, FOUR_GIB, type Machine, type MachineRom, PAGE, type RamPage } from './pgm-machine.ts';

// RAM ranges of versions 6 to 9, for the payload builder.

type OldPage =
  | { type: 'ram'; content: RamPage }
  | { type: 'mmio' }
  | { type: 'mmio2'; content: DevicePage }
  | { type: 'rom'; rom: MachineRom['pages'][number] };

export interface OldMachineRange {
  address: number;
  ownMemory: boolean;
  description: string;
  pages: OldPage[];
}

/** The ranges of a machine in ascending order: RAM with the ROMs and holes in it, then what lies outside of RAM. */
export function rangesOf(machine: Machine): OldMachineRange[] {
  const lowSize = Math.min(machine.ramSize, FOUR_GIB - machine.ramHole);
  const ranges: OldMachineRange[] = [];
  if (lowSize > 0) ranges.push(ramRangeOf(machine, 0, lowSize, 'Base RAM'));
  if (machine.ramSize > lowSize)
    ranges.push(ramRangeOf(machine, FOUR_GIB, machine.ramSize - lowSize, 'Above 4GB Base RAM'));
  for (const { address, description, pages } of machine.roms) {
    if (address >= lowSize)
      ranges.push({ address, ownMemory: false, description, pages: pages.map((rom) => ({ type: 'rom', rom })) });
  }
  for (const { address, description, pages } of machine.mmio2) {
    ranges.push({ address, ownMemory: true, description, pages: pages.map((content) => ({ type: 'mmio2', content })) });
  }
  for (const { address, description, pages } of machine.mmio) {
    ranges.push({ address, ownMemory: false, description, pages: new Array<OldPage>(pages).fill({ type: 'mmio' }) });
  }
  return ranges.sort((a, b) => a.address - b.address);
}

function ramRangeOf(machine: Machine, address: number, size: number, description: string): OldMachineRange {
  const pages: OldPage[] = [];
  for (let at = address; at < address + size; at += PAGE) pages.push(pageAt(machine, at));
  return { address, ownMemory: false, description, pages };
}

function pageAt(machine: Machine, at: number): OldPage {
  for (const rom of machine.roms) {
    const page = rom.pages[(at - rom.address) / PAGE];
    if (page) return { type: 'rom', rom: page };
  }
  const content = machine.ram.get(at);
  return content === undefined ? { type: 'mmio' } : { type: 'ram', content };
}

function putHead(out: PgmBytes, { address, pages }: OldMachineRange, ownMemory: boolean): void {
  const size = pages.length * PAGE;
  out
    .u64(address)
    .u64(address + size - 1)
    .u64(size)
    .u8(ownMemory ? 1 : 0);
}

/** Puts a range of versions 7 to 9: a type byte, then one page with its state, or two of a shadowed ROM. */
export function putTypedRange(out: PgmBytes, range: OldMachineRange): void {
  putHead(out, range, range.ownMemory);
  out.text(range.description);
  for (const page of range.pages) {
    if (page.type === 'ram') putState(out.u8(1), page.content);
    else if (page.type === 'mmio2') putState(out.u8(2), page.content);
    else if (page.type === 'mmio') putState(out.u8(6), 'zero');
    else putRom(out, page.rom);
  }
}

function putRom(out: PgmBytes, { virgin, shadow, protection }: MachineRom['pages'][number]): void {
  if (shadow === undefined) {
    putState(out.u8(5), virgin);
    return;
  }
  // The page that the guest reads comes first.
  const readsRam = protection >= 3;
  putState(out.u8(4).u8(protection), readsRam ? shadow : virgin);
  putState(out, readsRam ? virgin : shadow);
}

function putState(out: PgmBytes, content: RamPage): void {
  if (typeof content === 'string') out.u8(0);
  else out.u8(1).raw(content);
}

const FLAGS = { ram: 0, rom: 2, mmio: 4, mmio2: 8 };
const DYNAMIC = 0x800;
const CHUNK = 0x100000 / PAGE;

/**
 * Puts a range of version 6: 16 bits of flags a page, then all content at once (own memory), or chunks of 1 MiB (RAM),
 * or nothing (MMIO above).
 */
export function putChunkedRange(out: PgmBytes, range: OldMachineRange): void {
  // ROMs outside of RAM have memory of their own here, too.
  const ownMemory = range.ownMemory || (range.address > 0 && range.pages.some((page) => page.type === 'rom'));
  const chunks = !ownMemory && range.address < 0xe0000000;
  putHead(out, range, ownMemory);
  for (const page of range.pages) out.u16(FLAGS[page.type] | (chunks ? DYNAMIC : 0));
  if (ownMemory) for (const page of range.pages) out.raw(bytesOf(page));
  if (chunks)
    for (let first = 0; first < range.pages.length; first += CHUNK)
      putChunk(out, range.pages.slice(first, first + CHUNK));
}

function putChunk(out: PgmBytes, pages: OldPage[]): void {
  const present = pages.some(
    (page) => page.type === 'rom' || (page.type === 'ram' && typeof page.content !== 'string'),
  );
  out.u8(present ? 1 : 0);
  if (present) for (const page of pages) out.raw(bytesOf(page));
}

/** Contents of MMIO pages, which mean nothing; a reader must drop them. */
const RUBBISH = new Uint8Array(PAGE).fill(0xee);

function bytesOf(page: OldPage): Uint8Array {
  if (page.type === 'mmio') return RUBBISH;
  if (page.type === 'rom') return page.rom.virgin;
  return typeof page.content === 'string' ? new Uint8Array(PAGE) : page.content;
}
