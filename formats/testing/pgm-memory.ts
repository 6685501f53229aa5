import { createHash } from 'node:crypto';
import { type Machine, PAGE, type PageRecord, plainRecords, type RamPage } from './pgm-machine.ts';

/**
 * Contents of memory, by place: `ram 0x1000`, `virgin 0xf0000`, `shadow …`, `protection …`, `mmio2 2:0` (id and page)
 * or, in versions 6 to 9, `mmio2 0xe0000000`. Values: `zero`, `balloon`, a hash of the page, or a protection.
 */
export type Memory = Map<string, string | number>;

const ZEROS = Buffer.alloc(PAGE);

export function pageName(content: RamPage): string {
  if (typeof content === 'string') return content;
  return ZEROS.equals(content) ? 'zero' : createHash('sha1').update(content).digest('hex').slice(0, 16);
}

export const hexOf = (value: number) => `0x${value.toString(16)}`;

/** The memory that a reader must find of `machine` in a state of `version`: of repeated pages the last one counts. */
export function expectedMemory(machine: Machine, version: number, records = plainRecords(machine)): Memory {
  const memory: Memory = new Map();
  for (const record of records) remember(memory, machine, version, record);
  return memory;
}

function remember(memory: Memory, machine: Machine, version: number, record: PageRecord): void {
  if (record.kind === 'ram') {
    const lost = record.content === 'balloon' && version < 13;
    memory.set(`ram ${hexOf(record.address)}`, lost ? 'zero' : pageName(record.content));
    return;
  }
  const { kind, id, page } = record;
  if (kind === 'mmio2') {
    const address = machine.mmio2.find((range) => range.id === id)?.address ?? 0;
    memory.set(
      version < 10 ? `mmio2 ${hexOf(address + page * PAGE)}` : `mmio2 ${id}:${page}`,
      pageName(record.content),
    );
    return;
  }
  const rom = machine.roms.find((range) => range.id === id);
  const place = hexOf((rom?.address ?? 0) + page * PAGE);
  memory.set(`protection ${place}`, record.protection);
  if (kind === 'rom-virgin') memory.set(`virgin ${place}`, pageName(record.content));
  if (kind === 'rom-shadow') memory.set(`shadow ${place}`, pageName(record.content));
}
