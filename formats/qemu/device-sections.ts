import { FormatError, hex, type OnDamage } from '../errors.ts';
import { INCOMPLETE_NAME } from '../incomplete-name.ts';
import { PartType } from './constants.ts';
import { type DescribedDevice, parseDescription, type StreamDescription, sizeOf } from './description.ts';
import { findDescription } from './find-description.ts';
import { isEarly } from './parted-bodies.ts';
import { QemuFormatError, unknownSection } from './qemu-error.ts';
import { SectionBytes, type SectionHead } from './section-bytes.ts';
import { badFooter, type QemuSection } from './sections.ts';

/** A device's section with its bytes. */
export interface DeviceSection extends QemuSection {
  type: 'full';
  /** A view into the bytes that were split. */
  body: Uint8Array;
  /** Absent where the stream has no description, or one that does not list the device. */
  described?: DescribedDevice;
}

/** The part of a stream after RAM. */
export interface DeviceSections {
  /** In file order, up to damage that hides the borders of sections. */
  devices: DeviceSection[];
  /** The end mark was found. */
  ended: boolean;
  /** Names, versions and fields of all devices; at the end of most streams. */
  description?: StreamDescription;
  /** The bytes of the description. */
  descriptionJson?: Uint8Array;
  /** Offset of the description in the file. */
  descriptionOffset?: number;
  /** Number of bytes after the last part of the stream. */
  trailing: number;
  /** Means by which the ends of bodies were found: the description, or a search for the marks after them. */
  split: 'description' | 'search';
}

/**
 * Splits the end of a stream into device sections. The bodies have no lengths of their own: the description has them.
 * Without a description, the end of a body is found by the mark after it, which holds the section's id, or, where
 * sections have no marks, by the next section's head.
 * @param start offset of `bytes` in the file
 * @param onDamage gets all damage: the splitting goes on after it, or ends
 * @param hasMarks whether marks follow the earlier sections of the stream
 */
export function splitDevices(bytes: Uint8Array, start: number, onDamage: OnDamage, hasMarks = true): DeviceSections {
  const splitter = new Splitter(bytes, start, onDamage, hasMarks);
  splitter.describe();
  try {
    splitter.run();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    onDamage(error);
  }
  return splitter.result;
}

/**
 * Whether, of two names of a device that differ, the one in the description is wrong. The one in the section's head is
 * right if it equals the kind of the device, or ends with it.
 */
function isOtherInDescription(device: DescribedDevice | undefined, name: string): boolean {
  const isOfKind = (text: string) => text === device?.kind || text.endsWith(`/${device?.kind}`);
  return device?.kind !== undefined && isOfKind(name) && !isOfKind(device.name);
}

class Splitter {
  readonly result: DeviceSections = { devices: [], ended: false, trailing: 0, split: 'search' };
  readonly #bytes: Uint8Array;
  readonly #sections: SectionBytes;
  readonly #start: number;
  readonly #onDamage: OnDamage;
  readonly #hasMarks: boolean;
  /** Devices of the description that have not been met yet. */
  #expected: DescribedDevice[] = [];
  #at = 0;

  constructor(bytes: Uint8Array, start: number, onDamage: OnDamage, hasMarks: boolean) {
    this.#bytes = bytes;
    this.#sections = new SectionBytes(bytes);
    this.#start = start;
    this.#onDamage = onDamage;
    this.#hasMarks = hasMarks;
  }

  /** Start of the description, or else end of the bytes. */
  get #end(): number {
    return this.#sections.end;
  }

  /** Looks for the description. */
  describe(): void {
    const found = findDescription(this.#bytes);
    if (!found) return;
    this.#sections.end = found.at;
    this.result.descriptionOffset = this.#start + found.at;
    this.result.trailing = this.#bytes.length - found.end;
    const json = this.#bytes.subarray(found.at + 5, found.end);
    if (found.isTorn) this.#onDamage(this.#torn(found.at));
    try {
      this.result.description = parseDescription(json);
      this.result.descriptionJson = json;
      this.result.split = 'description';
      this.#expected = this.result.description.devices.filter(({ name }) => !isEarly(name));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (!found.isTorn) this.#onDamage(error.at({ offset: this.#start + found.at }));
    }
  }

  run(): void {
    while (this.#at < this.#end) {
      const offset = this.#start + this.#at;
      const type = this.#bytes[this.#at];
      if (type === PartType.END_MARK) {
        this.#finish();
        return;
      }
      if (type !== PartType.FULL) {
        const message = `Cannot read section at ${hex(offset)}: type ${hex(type)} is unknown`;
        throw new QemuFormatError('bad-section', message, { offset }, `Unknown savevm section type ${type}`);
      }
      this.#readDevice(offset);
    }
    const offset = this.#start + this.#end;
    const message = `Cannot read devices: the stream ends at ${hex(offset)} without its end mark`;
    throw new QemuFormatError('truncated', message, { offset }, 'load of migration failed: Input/output error');
  }

  #finish(): void {
    this.result.ended = true;
    this.#at++;
    for (const { name, instance } of this.#expected) this.#onDamage(this.#missing(name, instance));
    this.#expected = [];
    if (this.#at === this.#end) return;
    if (this.result.descriptionOffset === undefined) this.result.trailing = this.#end - this.#at;
    else this.#onDamage(this.#between());
  }

  #readDevice(offset: number): void {
    const head = this.#sections.head(this.#at);
    if (!head) throw this.#cut('head of a section', offset, 'load of migration failed: Input/output error');
    const { id, name, instance, version, bodyAt } = head;
    const isDescribed = this.result.description && name !== INCOMPLETE_NAME;
    const described = isDescribed ? this.#descriptionOf(head, offset) : undefined;
    const size = described ? sizeOf(described) : this.#searchEnd(head, offset);
    const end = bodyAt + size;
    if (end > this.#end) throw this.#cutWithin(head, offset);
    const body = this.#bytes.subarray(bodyAt, end);
    const bodyOffset = this.#start + bodyAt;
    const place = { id, name, instance, version, offset, bodyOffset, bodySize: size };
    const section: DeviceSection = { type: 'full', ...place, footer: false, body, described };
    this.result.devices.push(section);
    this.#at = end;
    section.footer = this.#readFooter(head, offset);
  }

  /** Reads the mark after a body, which machine types before 2.4 lack. @returns whether there is one */
  #readFooter({ id, name, instance }: SectionHead, offset: number): boolean {
    const at = this.#at;
    const place = { unit: name, instance };
    if (this.#bytes[at] !== PartType.FOOTER || at >= this.#end) {
      if (!this.#hasMarks && !this.result.devices.some(({ footer }) => footer)) return false;
      if (at >= this.#end) throw this.#cut(`mark after section ${JSON.stringify(name)}`, offset);
      const where = this.#start + at;
      const message = `Cannot read section ${JSON.stringify(name)}: no mark follows it at ${hex(where)}`;
      const says = `Missing section footer for ${name}`;
      throw new QemuFormatError('bad-footer', message, { offset: where, ...place }, says);
    }
    if (at + 5 > this.#end) throw this.#cut(`mark after section ${JSON.stringify(name)}`, offset);
    const found = this.#sections.idOfMark(at);
    if (found !== id) this.#onDamage(badFooter(name, this.#start + at, found, id).at(place));
    this.#at += 5;
    return true;
  }

  /**
   * The entry of the description for a section. Sections have the order of the entries; the entry of a missing section
   * is skipped, and a section with a damaged name belongs to the next entry.
   */
  #descriptionOf({ name, instance }: SectionHead, offset: number): DescribedDevice | undefined {
    const is = (device: DescribedDevice) => device.name === name && device.instance === instance;
    const index = this.#expected.findIndex(is);
    if (index >= 0) {
      for (const missing of this.#expected.splice(0, index))
        this.#onDamage(this.#missing(missing.name, missing.instance));
      return this.#expected.shift();
    }
    const place = { offset, unit: name, instance };
    const again = this.result.description?.devices.find(is);
    const what = `Section ${JSON.stringify(name)} ${instance} at ${hex(offset)}`;
    if (again) {
      this.#onDamage(
        new QemuFormatError('twice', `${what} is there a second time: QEMU loads both, the last one counts`, place),
      );
      return again;
    }
    const next = this.#expected[0];
    const wanted = next ? `${JSON.stringify(next.name)} ${next.instance}` : 'nothing more';
    this.#onDamage(
      isOtherInDescription(next, name)
        ? new QemuFormatError(
            'bad-description',
            `The description has another name for section ${JSON.stringify(name)} ${instance}: ` +
              `${wanted}; QEMU does not look at it`,
            place,
          )
        : new QemuFormatError(
            'bad-section',
            `${what} is not the section that the description has there: ${wanted}`,
            place,
            unknownSection(name, instance),
          ),
    );
    return next && this.#standsAfter(next) ? this.#expected.shift() : undefined;
  }

  /**
   * Whether the section at the current place can be the described one: the mark with its id follows the described size.
   */
  #standsAfter(device: DescribedDevice): boolean {
    const head = this.#sections.head(this.#at);
    const end = head ? head.bodyAt + sizeOf(device) : this.#end;
    return head !== undefined && end + 5 <= this.#end && this.#sections.isMark(end, head.id);
  }

  #searchEnd(head: SectionHead, offset: number): number {
    const isOther = (id: number) => id !== head.id && !this.result.devices.some((device) => device.id === id);
    const end = this.#hasMarks ? this.#sections.markAfter(head) : this.#sections.nextAfter(head, isOther);
    if (end === undefined) throw this.#cutWithin(head, offset);
    return end - head.bodyAt;
  }

  #missing(name: string, instance: number): QemuFormatError {
    const message =
      `Section ${JSON.stringify(name)} ${instance} is missing, which the description lists: QEMU loads the rest ` +
      'without a word, and the device stays as after a reset';
    return new QemuFormatError('missing-section', message, { unit: name, instance });
  }

  #torn(at: number): QemuFormatError {
    const offset = this.#start + at;
    const message =
      `The description at ${hex(offset)} does not end where its head says: it is cut off, or its ` +
      'head is damaged; QEMU does not look at it';
    return new QemuFormatError('bad-description', message, { offset });
  }

  #between(): QemuFormatError {
    const offset = this.#start + this.#at;
    const size = this.#end - this.#at;
    const message = `There are ${size} bytes at ${hex(offset)} between the end mark and the description`;
    return new QemuFormatError('left-over', message, { offset });
  }

  #cutWithin({ name, instance }: SectionHead, offset: number): FormatError {
    return this.#cut(
      `section ${JSON.stringify(name)}`,
      offset,
      `error while loading state for instance ${hex(instance)} of device '${name}'`,
    ).at({
      unit: name,
      instance,
    });
  }

  #cut(what: string, offset: number, qemuSays = 'load of migration failed: Input/output error'): QemuFormatError {
    const message =
      `Cannot read ${what} at ${hex(offset)}: the stream ends within it, at ` + `${hex(this.#start + this.#end)}`;
    return new QemuFormatError('truncated', message, { offset }, qemuSays);
  }
}
