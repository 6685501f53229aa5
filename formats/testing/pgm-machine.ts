// A machine's memory, described plainly: the payload builder takes it, and a reader must give it back.

export type DevicePage = Uint8Array | 'zero';
export type RamPage = DevicePage | 'balloon';

export interface MachineCpu {
  a20: boolean;
  /** PGMMODE */
  mode: number;
  /** Addresses of the four page directories of PAE mode; default: none. */
  paePds?: bigint[];
}

export interface MachineRom {
  id: number;
  description: string;
  address: number;
  pages: { virgin: Uint8Array; shadow?: DevicePage; protection: number }[];
}

export interface MachineMmio2 {
  id: number;
  device: string;
  instance: number;
  region: number;
  description: string;
  /** Only versions 6 to 9 store it. */
  address: number;
  pages: DevicePage[];
}

export interface MachineMapping {
  description: string;
  address: bigint;
  pageTables: bigint;
}

export interface Machine {
  cpus: MachineCpu[];
  ramSize: number;
  ramHole: number;
  /** By address. A page of the RAM ranges that is neither here nor a ROM's is MMIO. */
  ram: Map<number, RamPage>;
  roms: MachineRom[];
  mmio2: MachineMmio2[];
  /** Versions 6 to 13. */
  mappings: MachineMapping[];
  /** Ranges without memory, which versions 6 to 9 list. */
  mmio: { address: number; pages: number; description: string }[];
}

/** One page record of versions 10 and later; what live passes are made of. */
export type PageRecord =
  | { kind: 'ram'; address: number; content: RamPage }
  | { kind: 'mmio2'; id: number; page: number; content: DevicePage }
  | { kind: 'rom-virgin'; id: number; page: number; protection: number; content: Uint8Array }
  | { kind: 'rom-shadow'; id: number; page: number; protection: number; content: DevicePage }
  | { kind: 'rom-protection'; id: number; page: number; protection: number };

export const FOUR_GIB = 2 ** 32;
export const PAGE = 4096;

export function emptyMachine(more: Partial<Machine> = {}): Machine {
  return {
    cpus: [{ a20: true, mode: 1 }],
    ramSize: 0,
    ramHole: 0x20000000,
    ram: new Map(),
    roms: [],
    mmio2: [],
    mappings: [],
    mmio: [],
    ...more,
  };
}

/** The records of a plain save, in the writers' order. */
export function plainRecords(machine: Machine): PageRecord[] {
  const records: PageRecord[] = [];
  for (const { id, pages } of machine.roms) {
    pages.forEach(({ virgin, protection }, page) => {
      records.push({ kind: 'rom-virgin', id, page, protection, content: virgin });
    });
  }
  for (const { id, pages } of machine.roms) {
    pages.forEach(({ shadow, protection }, page) => {
      if (shadow) records.push({ kind: 'rom-shadow', id, page, protection, content: shadow });
    });
  }
  for (const { id, pages } of machine.mmio2) {
    pages.forEach((content, page) => {
      records.push({ kind: 'mmio2', id, page, content });
    });
  }
  for (const [address, content] of [...machine.ram].sort(([a], [b]) => a - b))
    records.push({ kind: 'ram', address, content });
  return records;
}
