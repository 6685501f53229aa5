import fc from 'fast-check';
import {
  type DevicePage,
  emptyMachine,
  FOUR_GIB,
  type Machine,
  type MachineRom,
  PAGE,
  type PageRecord,
  type RamPage,
} from './pgm-machine.ts';
import { type Cut, cutCompressed, cutRaw } from './pgm-states.ts';

// Random machines of which every pgm version can hold its own.

/** Pages that compress well, pages that don't, and one of zeros which a writer took for content. */
const bytesPage = fc.nat(255).map((seed) => {
  pages[seed] ??= pageOf(seed);
  const page = pages[seed].slice();
  // Counterexamples with all bytes of their pages would be unreadable.
  return Object.assign(page, { [fc.toStringMethod]: () => `page ${seed}` });
});
const pages: Uint8Array[] = [];
function pageOf(seed: number): Uint8Array {
  let x = seed;
  return Uint8Array.from({ length: PAGE }, (_, i) => {
    if (seed % 3 === 0) return seed === 0 ? 0 : seed + (i >> 8);
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    return x >>> 16;
  });
}
const devicePage = fc.oneof(fc.constant<DevicePage>('zero'), bytesPage);
const ramPage = fc.oneof(fc.constant<RamPage>('zero'), fc.constant<RamPage>('balloon'), bytesPage);
/** A page of a RAM range that is no RAM comes as undefined. */
const maybeRam = fc.option(ramPage, { freq: 5, nil: undefined });
const protection = fc.integer({ min: 1, max: 4 });

function cpusFor(version: number) {
  const paePd = fc.oneof(fc.constant(0xffff_ffff_ffff_ffffn), fc.bigInt(0n, 0xffff_ffffn));
  const cpu = fc.record({ a20: fc.boolean(), mode: fc.integer({ min: 1, max: 7 }) });
  const withPds = fc
    .tuple(cpu, fc.array(paePd, { minLength: 4, maxLength: 4 }))
    .map(([rest, paePds]) => ({ ...rest, paePds }));
  return fc.array(version >= 14 ? withPds : cpu, { minLength: 1, maxLength: version >= 9 ? 8 : 1 });
}

/** Addresses at which ROMs may stand. */
const ROM_PLACES = [0x3000, 0x1fff0000, 0xffff0000];

/** A machine shadows whole ROMs; without a shadow the ROM itself is read. Version 6 has no shadowed ROMs here. */
function romsFor(version: number) {
  const shadowed = fc.record({ virgin: bytesPage, shadow: devicePage, protection });
  const plain = fc.record({ virgin: bytesPage, protection: fc.constant(1) });
  const pagesOf = (page: fc.Arbitrary<MachineRom['pages'][number]>) => fc.array(page, { minLength: 1, maxLength: 3 });
  const pages = version === 6 ? pagesOf(plain) : fc.oneof(pagesOf(shadowed), pagesOf(plain));
  return fc
    .tuple(fc.subarray(ROM_PLACES), fc.array(pages, { minLength: 3, maxLength: 3 }))
    .map(([places, roms]) =>
      places.map((address, i): MachineRom => ({ id: i + 1, description: `ROM ${i}`, address, pages: roms[i] })),
    );
}

const mmio2 = fc.array(fc.array(devicePage, { minLength: 1, maxLength: 5 }), { maxLength: 3 }).map((ranges) =>
  ranges.map((pages, i) => ({
    id: i + 1,
    device: `dev${i}`,
    instance: i,
    region: i,
    description: `range ${i}`,
    address: 0xe0000000 + i * 0x100000,
    pages,
  })),
);

const mappings = fc.array(
  fc.record({
    description: fc.string({ maxLength: 50 }),
    address: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
    pageTables: fc.bigInt(0n, 0xffff_ffffn),
  }),
  { maxLength: 3 },
);

/** RAM below and above 4 GiB; the hole is chosen so that few pages make both. */
const smallRam = fc
  .tuple(fc.array(maybeRam, { maxLength: 20 }), fc.array(maybeRam, { maxLength: 8 }))
  .map(([low, high]) => {
    const ram = new Map<number, RamPage>();
    putPages(ram, 0, low);
    const both = low.length > 0 && high.length > 0;
    if (both) putPages(ram, FOUR_GIB, high);
    const ramSize = (low.length + (both ? high.length : 0)) * PAGE;
    return { ram, ramSize, ramHole: both ? FOUR_GIB - low.length * PAGE : 0x20000000 };
  });

/** Version 6 stores whole chunks of 1 MiB. */
const chunkedRam = fc
  .tuple(fc.integer({ min: 0, max: 2 }), fc.array(fc.tuple(fc.nat(511), maybeRam), { maxLength: 12 }))
  .map(([mib, contents]) => {
    const ram = new Map<number, RamPage>();
    const ramSize = mib * 0x100000;
    for (let address = 0; address < ramSize; address += PAGE)
      if (address < 0xa0000 || address >= 0x100000) ram.set(address, 'zero');
    for (const [frame, page] of contents) {
      if (page === undefined) ram.delete(frame * PAGE);
      else if (frame * PAGE < ramSize) ram.set(frame * PAGE, page);
    }
    return { ram, ramSize, ramHole: 0x20000000 };
  });

function putPages(ram: Map<number, RamPage>, start: number, pages: (RamPage | undefined)[]): void {
  pages.forEach((page, i) => {
    if (page !== undefined) ram.set(start + i * PAGE, page);
  });
}

export function machineFor(version: number): fc.Arbitrary<Machine> {
  const ram = version === 6 ? chunkedRam : smallRam;
  return fc
    .tuple(ram, cpusFor(version), romsFor(version), mmio2, mappings)
    .map(([memory, cpus, roms, ranges, guestMappings]) => {
      const lowEnd = Math.min(memory.ramSize, FOUR_GIB - memory.ramHole);
      // Versions 6 to 9 can't hold a ROM that stands half in RAM.
      const fitting = roms.filter((rom) => rom.address >= 0x1000000 || rom.address + rom.pages.length * PAGE <= lowEnd);
      for (const rom of fitting) rom.pages.forEach((_, i) => void memory.ram.delete(rom.address + i * PAGE));
      const mmio = [{ address: 0xe0f00000, pages: 2, description: 'I/O APIC' }];
      return emptyMachine({ ...memory, cpus, roms: fitting, mmio2: ranges, mappings: guestMappings, mmio });
    });
}

/** Passes of a live save of `machine`: any page any number of times. */
export function passesFor(machine: Machine): fc.Arbitrary<PageRecord[][]> {
  const choices: fc.Arbitrary<PageRecord>[] = [];
  const addresses = [...machine.ram.keys()];
  if (addresses.length > 0) {
    choices.push(
      fc.record({ kind: fc.constant('ram' as const), address: fc.constantFrom(...addresses), content: ramPage }),
    );
  }
  for (const { id, pages } of machine.mmio2) {
    const page = fc.nat(pages.length - 1);
    choices.push(fc.record({ kind: fc.constant('mmio2' as const), id: fc.constant(id), page, content: devicePage }));
  }
  for (const { id, pages } of machine.roms) {
    const place = { id: fc.constant(id), page: fc.nat(pages.length - 1), protection };
    choices.push(fc.record({ kind: fc.constant('rom-virgin' as const), ...place, content: bytesPage }));
    choices.push(fc.record({ kind: fc.constant('rom-shadow' as const), ...place, content: devicePage }));
    choices.push(fc.record({ kind: fc.constant('rom-protection' as const), ...place }));
  }
  const records =
    choices.length === 0 ? fc.constant<PageRecord[]>([]) : fc.array(fc.oneof(...choices), { maxLength: 12 });
  return fc.array(records, { minLength: 2, maxLength: 5 });
}

/** Ways to cut a payload into container records. */
export const anyCut: fc.Arbitrary<Cut> = fc.oneof(
  fc.constantFrom(cutRaw(4096), cutRaw(32768), cutRaw(2 ** 17), cutCompressed(1), cutCompressed(2), cutCompressed(4)),
  fc.integer({ min: 50, max: 9000 }).map((size) => cutRaw(size)),
);
