import { throwDamage, tooMany, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import type { QemuConfiguration } from '../../../formats/qemu/configuration.ts';
import { type DeviceSection, splitDevices } from '../../../formats/qemu/device-sections.ts';
import { QemuStreamReader } from '../../../formats/qemu/stream/stream-reader.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { SectionImage } from './section-image.ts';

/** Bytes of the description's head: type and length. */
const DESCRIPTION_HEAD = 5;

/**
 * A stream that the target QEMU has written for the new machine: it shows the machine's devices and, by its
 * description, the place of each field. savkit itself knows no layouts of QEMU's devices.
 */
export class Template {
  readonly configuration: QemuConfiguration;
  readonly blocks: readonly { name: string; size: number; isRam: boolean }[];
  /** Pages of firmware and tables that are not all zeros, by index of their block and offset. */
  readonly firmware: readonly FirmwarePage[];
  readonly ramId: number;
  /** JSON, as QEMU wrote it. */
  readonly description: Uint8Array;
  /** Sections in the order of the stream. */
  readonly sections: readonly DeviceSection[];
  readonly #images = new Map<string, SectionImage>();

  private constructor(
    reader: QemuStreamReader,
    firmware: readonly FirmwarePage[],
    sections: readonly DeviceSection[],
    description: Uint8Array,
  ) {
    this.configuration = reader.configuration;
    this.blocks = reader.blocks.all.map(({ name, size, isRam }) => ({ name, size, isRam }));
    this.firmware = firmware;
    this.ramId = reader.sections[0].id;
    this.sections = sections;
    this.description = description;
    for (const section of sections) {
      const image = new SectionImage(section);
      this.#images.set(image.label, image);
    }
  }

  /**
   * Reads a stream whose description accounts for every byte of every device. @throws FormatError, UnsupportedError
   * `other-qemu`
   */
  static async read(source: ByteSource): Promise<Template> {
    const reader = await QemuStreamReader.open(source);
    try {
      const firmware: FirmwarePage[] = [];
      while (await reader.nextPages()) keepFirmware(reader.batch, firmware);
      const { bytes, offset } = await reader.tail();
      const { devices, description, descriptionOffset = 0 } = splitDevices(bytes, offset, throwDamage);
      if (!description)
        throw new UnsupportedError(
          'other-qemu',
          `Cannot use ${source.name}: it has no description of its devices (machine option suppress-vmdesc)`,
        );
      const bare = devices.find(({ footer, described }) => !footer || !described);
      if (bare)
        throw new UnsupportedError(
          'other-qemu',
          `Cannot use ${source.name}: its description does not fit device ${bare.name}`,
        );
      return new Template(reader, firmware, devices, bytes.slice(descriptionOffset - offset + DESCRIPTION_HEAD));
    } finally {
      reader.release();
    }
  }

  /** Type of the machine, such as `pc-i440fx-10.0`. */
  get machine(): string {
    return this.configuration.machine ?? '';
  }

  find(name: string, instance = 0): SectionImage | undefined {
    return this.#images.get(`${name} ${instance}`);
  }

  /** @throws UnsupportedError `other-qemu` */
  section(name: string, instance = 0): SectionImage {
    const found = this.find(name, instance);
    if (found) return found;
    throw new UnsupportedError(
      'other-qemu',
      `Cannot use this QEMU: it has no device ${name} ${instance}; use another release`,
    );
  }
}

/** A page of a block other than RAM. */
export interface FirmwarePage {
  block: number;
  /** Offset in the block. */
  offset: number;
  bytes: Uint8Array;
}

/** Firmware and its tables take some hundred KiB. */
const MAX_FIRMWARE = 16384;

function keepFirmware(batch: PageBatch, pages: FirmwarePage[]): void {
  for (let i = 0; i < batch.count; i++) {
    if (batch.kind[i] !== PageKind.MMIO2_RAW) continue;
    if (pages.length >= MAX_FIRMWARE) throw tooMany('pages of firmware', MAX_FIRMWARE);
    const bytes = new Uint8Array(PAGE_SIZE);
    batch.decode(i, bytes, 0);
    pages.push({ block: batch.id[i], offset: batch.page[i] * PAGE_SIZE, bytes });
  }
}
