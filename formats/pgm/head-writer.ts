import type { Widths } from '../binary/cursor.ts';
import { END_OF_LIST } from '../binary/markers.ts';
import { Writer } from '../binary/writer.ts';
import type { PgmBasic, PgmConfig } from './head.ts';
import { basicV6, basicV7, cpuStruct, END_ID, mapping, mmio2Entry, pgmStruct, ramConfig, romEntry } from './layouts.ts';
import type { PgmVersion } from './versions.ts';

// Writes the parts that head.ts reads.

/** The basic part of a final pass. Versions that hold one VCPU get the first VCPU. */
export function writeBasic(basic: PgmBasic, version: PgmVersion, widths: Widths): Uint8Array {
  const writer = new Writer(widths);
  const [cpu] = basic.cpus;
  if (version.basic === 'one-cpu-unmarked') {
    const ramSize = Math.min(basic.ramSize ?? 0, 0xffffffff);
    basicV6.write(writer, { ...basic, ...cpu, ramSize, syncFlags: basic.syncFlags ?? 0 });
  } else if (version.basic === 'one-cpu') {
    basicV7.write(writer, { ...basic, ...cpu });
  } else {
    pgmStruct.write(writer, basic, version.version);
    for (const each of basic.cpus) cpuStruct.write(writer, each, version.version);
  }
  if (version.mappings) writeMappings(basic, writer);
  return writer.view();
}

function writeMappings(basic: PgmBasic, writer: Writer): void {
  for (const [sequence, entry] of basic.mappings.entries()) {
    writer.u32(sequence);
    mapping.write(writer, entry);
  }
  writer.u32(END_OF_LIST);
}

/** The config block of versions 10 and later. */
export function writeConfig(config: PgmConfig, version: PgmVersion, widths: Widths): Uint8Array {
  const writer = new Writer(widths);
  if (version.ramConfig) ramConfig.write(writer, { ramHole: config.ramHole ?? 0, ramSize: config.ramSize ?? 0 });
  for (const rom of config.roms) {
    writer.u8(rom.id);
    romEntry.write(writer, rom);
  }
  writer.u8(END_ID);
  for (const range of config.mmio2) {
    writer.u8(range.id);
    mmio2Entry.write(writer, range);
  }
  writer.u8(END_ID);
  return writer.view();
}
