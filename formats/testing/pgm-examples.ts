import { emptyMachine, type Machine, PAGE, type PageRecord } from './pgm-machine.ts';

// The machines of the worked examples in test-vectors/pgm.

export const PA = pageOf((i) => (i % 4) + 1);
export const PB = pageOf(() => 0xa5);
export const PR = pseudoRandomPage();

function pageOf(byte: (index: number) => number): Uint8Array {
  return Uint8Array.from({ length: PAGE }, (_, i) => byte(i));
}

function pseudoRandomPage(): Uint8Array {
  let x = 1n;
  return pageOf(() => {
    x = (x * 1103515245n + 12345n) & 0x7fffffffn;
    return Number((x >> 16n) & 255n);
  });
}

export const SMALLEST = emptyMachine();

/** A machine with every feature of the version. */
export function fullExample(version: number): Machine {
  if (version === 6) return example6();
  return version <= 9 ? example7(version) : example10(version);
}

function example6(): Machine {
  const ram = new Map<number, 'zero'>();
  for (let address = 0; address < 0xa0000; address += PAGE) ram.set(address, 'zero');
  return emptyMachine({
    ramSize: 0x100000,
    ram,
    mappings: [{ description: 'VMM', address: 0xa0000000n, pageTables: 1n }],
    mmio2: [{ id: 1, device: '', instance: 0, region: 0, description: '', address: 0xe0000000, pages: [PA] }],
  });
}

function example7(version: number): Machine {
  const first = { a20: true, mode: 1 };
  return emptyMachine({
    cpus: version === 9 ? [first, { a20: true, mode: 7 }] : [first],
    ramSize: 4 * PAGE,
    ram: new Map<number, Uint8Array | 'zero'>([
      [0, 'zero'],
      [0x1000, PA],
    ]),
    mappings: [{ description: 'VMM', address: 0xfffffffff0000000n, pageTables: 1n }],
    roms: [
      { id: 1, description: 'in RAM', address: 0x2000, pages: [{ virgin: PB, protection: 1 }] },
      { id: 2, description: 'ROM', address: 0xffff0000, pages: [{ virgin: PB, shadow: 'zero', protection: 1 }] },
    ],
  });
}

function example10(version: number): Machine {
  return emptyMachine({
    ramSize: 6 * PAGE,
    ram: new Map<number, Uint8Array | 'zero' | 'balloon'>([
      [0, 'zero'],
      [0x1000, PA],
      [0x2000, version >= 12 ? 'balloon' : 'zero'],
      [0x5000, PR],
    ]),
    roms: [
      { id: 1, description: 'PC BIOS', address: 0xfffff000, pages: [{ virgin: PB, shadow: 'zero', protection: 1 }] },
    ],
    mmio2: [
      { id: 2, device: 'vga', instance: 0, region: 0, description: 'VRam', address: 0xe0000000, pages: [PA, 'zero'] },
    ],
  });
}

export const LIVE_EXAMPLE = fullExample(14);

/** Passes 0, 1 and final. */
export const LIVE_PASSES: PageRecord[][] = [
  [{ kind: 'rom-virgin', id: 1, page: 0, protection: 1, content: PB }],
  [
    { kind: 'ram', address: 0, content: 'zero' },
    { kind: 'ram', address: 0x1000, content: PA },
  ],
  [
    { kind: 'rom-shadow', id: 1, page: 0, protection: 1, content: 'zero' },
    { kind: 'mmio2', id: 2, page: 0, content: PA },
    { kind: 'mmio2', id: 2, page: 1, content: 'zero' },
    { kind: 'ram', address: 0x2000, content: 'balloon' },
    { kind: 'ram', address: 0x5000, content: PR },
  ],
];
