import type { Widths } from '../binary/cursor.ts';
import { END_OF_LIST } from '../binary/markers.ts';
import { Writer } from '../binary/writer.ts';
import { PAGE_SIZE } from '../sizes.ts';
import type { ContainerWriter } from '../ssm/writing/container-writer.ts';
import type { PgmBasic } from './head.ts';
import { writeBasic } from './head-writer.ts';
import { ramRange, rangeDescription } from './layouts.ts';
import { OldPageType, type OldRange, type PageTypeNumbering } from './old-ranges.ts';
import type { PgmVersion } from './versions.ts';

/**
 * Numbers that loaders since 4.3 expect, by `OldPageType`: MMIO2 counts as RAM. A shadowed ROM page needs 0, "invalid",
 * which they do not compare (pgm-unit.md 5.1); they then read one page of content, not two.
 */
const TYPES_OF_4_3 = [0, 1, 1, 2, 0, 4, 5];

/**
 * Flags of version 6, by `OldPageType`; pages of dynamically allocated RAM have `DYNAMIC`, too. Source: MM_RAM_FLAGS_*.
 */
const FLAGS = [0x001, 0x000, 0x008, 0x004, 0x002, 0x002, 0x004];
const FLAG_DYNAMIC = 0x800;

/**
 * Writes the pgm unit of versions 6 to 9 into the container's current unit: basic part, then range by range, then the
 * end.
 */
export class OldPgmWriter {
  readonly #out: ContainerWriter;
  readonly #version: PgmVersion;
  readonly #widths: Widths;
  readonly #numbering: PageTypeNumbering;
  readonly #byte = new Uint8Array(1);
  #ranges = 0;

  constructor(
    out: ContainerWriter,
    version: PgmVersion,
    widths: Widths,
    basic: PgmBasic,
    numbering: PageTypeNumbering,
  ) {
    this.#out = out;
    this.#version = version;
    this.#widths = widths;
    this.#numbering = numbering;
    out.put(writeBasic(basic, version, widths).slice());
  }

  beginRange({ start, pages, ownMemory, description }: Omit<OldRange, 'index' | 'runs'>): void {
    const writer = new Writer(this.#widths);
    const size = pages * PAGE_SIZE;
    writer.u32(this.#ranges++);
    ramRange.write(writer, { first: start, last: start + size - 1, size, ownMemory: ownMemory ? 1 : 0 });
    if (this.#version.rangeDescriptions) rangeDescription.write(writer, description);
    this.#out.put(writer.view());
  }

  /** Versions 7 to 9: a page's type; `protection` for shadowed ROM. Its contents follow. */
  putType(type: number, protection = 1): void {
    this.#putByte(this.#numbering === 'original' ? type : TYPES_OF_4_3[type]);
    if (type === OldPageType.ROM_SHADOW && this.#numbering === 'original') this.#putByte(protection);
  }

  /** Versions 7 to 9: 4096 bytes, or nothing for a page in state zero. */
  putState(content: Uint8Array | undefined): void {
    this.#putByte(content ? 1 : 0);
    if (content) this.#out.put(content);
  }

  /** Version 6: the flags of all pages of a range, by their types. */
  *putFlags(types: Iterable<number>, dynamic: boolean): Generator<void> {
    const writer = new Writer(this.#widths);
    for (const type of types) {
      writer.u16(FLAGS[type] | (dynamic ? FLAG_DYNAMIC : 0));
      if (writer.length < PAGE_SIZE) continue;
      this.#out.put(writer.view());
      writer.length = 0;
      yield;
    }
    if (writer.length > 0) this.#out.put(writer.view());
  }

  /** Version 6: writes whether the next 1 MiB is allocated. */
  putPresence(present: boolean): void {
    this.#putByte(present ? 1 : 0);
  }

  /** Writes page contents as they are. */
  putContent(content: Uint8Array): void {
    this.#out.put(content);
  }

  /**
   * @param separator whether to write the separator that ends the list; 7.2 does not read it, and refuses files that
   * have it
   */
  end(separator: boolean): void {
    if (!separator) return;
    const writer = new Writer();
    writer.u32(END_OF_LIST);
    this.#out.put(writer.view());
  }

  #putByte(value: number): void {
    this.#byte[0] = value;
    this.#out.put(this.#byte);
  }
}
