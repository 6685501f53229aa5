import { FormatError, hex, type OnDamage } from '../errors.ts';
import { INCOMPLETE_NAME } from '../incomplete-name.ts';
import { PartType } from './constants.ts';
import { type DescribedDevice, parseDescription, type StreamDescription, sizeOf } from './description.ts';
import { ExpectedDevices } from './expected-devices.ts';
import { findDescription } from './find-description.ts';
import { QemuFormatError } from './qemu-error.ts';
import { SectionBytes, type SectionHead } from './section-bytes.ts';
import { badFooter, type QemuSection } from './sections.ts';

/** A device's section with its bytes. */
export interface DeviceSection extends QemuSection {
  type: 'full';
  /** A view into the bytes that were split. */
  body: Uint8Array;
  /** Entry of the description; absent where there is no description, or one that does not list the device. */
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

class Splitter {
  readonly result: DeviceSections = { devices: [], ended: false, trailing: 0, split: 'search' };
  readonly #bytes: Uint8Array;
  readonly #sections: SectionBytes;
  readonly #start: number;
  readonly #onDamage: OnDamage;
  readonly #hasMarks: boolean;
  #expected: ExpectedDevices | undefined;
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
    if (found.isTorn) this.#onDamage(tornDescription(this.#start + found.at));
    try {
      this.result.description = parseDescription(json);
      this.result.descriptionJson = json;
      this.result.split = 'description';
      this.#expected = new ExpectedDevices(this.result.description.devices, this.#onDamage);
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
    this.#expected?.end();
    if (this.#at === this.#end) return;
    if (this.result.descriptionOffset === undefined) this.result.trailing = this.#end - this.#at;
    else this.#onDamage(leftOver(this.#start + this.#at, this.#end - this.#at));
  }

  #readDevice(offset: number): void {
    const head = this.#sections.head(this.#at);
    if (!head) throw this.#cut('head of a section', offset, 'load of migration failed: Input/output error');
    const { id, name, instance, version, bodyAt } = head;
    const described =
      name === INCOMPLETE_NAME
        ? undefined
        : this.#expected?.entryOf(head, offset, (device) => this.#standsAfter(device));
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

function tornDescription(offset: number): QemuFormatError {
  const message =
    `The description at ${hex(offset)} does not end where its head says: it is cut off, or its ` +
    'head is damaged; QEMU does not look at it';
  return new QemuFormatError('bad-description', message, { offset });
}

function leftOver(offset: number, size: number): QemuFormatError {
  const message = `There are ${size} bytes at ${hex(offset)} between the end mark and the description`;
  return new QemuFormatError('left-over', message, { offset });
}
