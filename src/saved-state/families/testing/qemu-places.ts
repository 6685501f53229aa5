import { fieldsOf } from '../../../../formats/qemu/device-fields.ts';
import type { DeviceSection } from '../../../../formats/qemu/device-sections.ts';
import { PAGE_SIZE } from '../../../../formats/sizes.ts';
import type { QemuState } from '../../qemu/qemu-state.ts';

// Places of all parts of a state of QEMU, for damage that has to be told or cannot be told. Walks records by itself.

/** Some bytes of a file, `[start, end)`, of one kind. */
export interface Place {
  start: number;
  end: number;
  /** Such as `name of a section`, `field of type uint32`. */
  kind: string;
  /** Text that tells places of one kind apart. */
  about?: string;
}

/** Goes through bytes, and notes what they are. */
class Places {
  readonly list: Place[] = [];
  readonly bytes: Buffer;
  at: number;
  /** Block of the record before. */
  #block = '';
  /** Heads of records of each page. */
  readonly #heads = new Map<string, Place[]>();

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  take(size: number, kind: string, about?: string): number {
    const start = this.at;
    this.at += size;
    if (size > 0) this.list.push({ start, end: this.at, kind, about });
    return start;
  }

  name(kind: string): void {
    this.take(1, `length of the ${kind}`);
    this.take(this.bytes[this.at - 1], kind);
  }

  /** Notes the head of a record of a page; `isNamed`: with the name of the page's block. */
  pageHead(isNamed: boolean): void {
    const head = { start: this.at, end: this.at + 8, kind: 'head of a page' };
    this.list.push(head);
    this.at = head.end;
    const name = this.at;
    if (isNamed) this.name('name of a block at a page');
    if (isNamed) this.#block = this.bytes.toString('latin1', name + 1, this.at);
    const page = `${this.#block} ${this.bytes.readBigUInt64BE(head.start) >> 12n}`;
    const heads = this.#heads.get(page) ?? [];
    heads.push(head);
    this.#heads.set(page, heads);
    if (heads.length > 1) for (const each of heads) each.kind = 'head of a page that comes again';
  }
}

/** The places of a stream that is not compressed, from its first byte on. */
export function streamPlaces(bytes: Buffer, start: number, state: QemuState): Place[] {
  const places = new Places(bytes, start);
  takeHead(places, state);
  for (const section of state.ramSections) {
    takeCommands(places, section.offset);
    takeSectionHead(places, section.type === 'start');
    while (places.at < section.bodyOffset + section.bodySize) takeRecord(places, state);
    if (section.footer) takeFooter(places);
  }
  for (const device of state.devices) {
    takeSectionHead(places, true);
    takeFields(places, device);
    if (device.footer) takeFooter(places);
  }
  places.take(1, 'end mark');
  if (state.descriptionJson) takeDescription(places, state.descriptionJson.length);
  return places.list;
}

function takeHead(places: Places, { configuration, ramSections }: QemuState): void {
  places.take(4, 'magic');
  places.take(4, 'version of the stream');
  if (configuration.machine === undefined) return;
  places.take(1, 'type of a section');
  places.take(4, 'length of the machine type');
  places.take(configuration.machine.length, 'machine type');
  const end = ramSections[0]?.offset ?? places.at;
  if (places.bytes[places.at] === 5) places.take(end - places.at, 'part of the configuration');
}

function takeCommands(places: Places, end: number): void {
  while (places.at < end) {
    places.take(1, 'type of a section');
    places.take(2, 'number of a command');
    places.take(2, 'length of a command');
    places.take(places.bytes.readUInt16BE(places.at - 2), 'contents of a command');
  }
}

function takeSectionHead(places: Places, isFirst: boolean): void {
  places.take(1, 'type of a section');
  places.take(4, 'id of a section');
  if (!isFirst) return;
  places.name('name of a section');
  places.take(4, 'instance of a section');
  places.take(4, 'version of a section');
}

function takeFooter(places: Places): void {
  places.take(1, 'mark after a section');
  places.take(4, 'id after a section');
}

function takeRecord(places: Places, { configuration: { capabilities } }: QemuState): void {
  const { bytes } = places;
  const flags = bytes.readUInt32BE(places.at + 4) & 0xfff;
  if (flags & 0x04) {
    let left = Number(bytes.readBigUInt64BE(places.at) & ~0xfffn);
    places.take(8, 'head of the list of blocks');
    for (; left > 0; left -= takeBlock(places, capabilities));
  } else if (flags & 0x10) places.take(8, 'end of a part of RAM');
  else if (flags & 0x200) places.take(8, 'multifd flush');
  else {
    places.pageHead((flags & 0x20) === 0);
    if (flags & 0x02) places.take(1, 'byte of an even page');
    if (flags & 0x08) places.take(PAGE_SIZE, 'contents of a page');
    if (flags & 0x40) places.take(1, 'encoding of changes');
    if (flags & 0x40) places.take(bytes.readUInt16BE(places.take(2, 'length of changes')), 'changes of a page');
    if (flags & 0x100) places.take(4 + bytes.readUInt32BE(places.at), 'compressed page');
  }
}

function takeBlock(places: Places, capabilities: readonly string[]): number {
  const { bytes } = places;
  places.name('name of a block');
  const size = Number(bytes.readBigUInt64BE(places.take(8, 'size of a block')));
  if (capabilities.includes('x-ignore-shared')) places.take(8, 'address of a block');
  if (!capabilities.includes('mapped-ram')) return size;
  places.take(4, 'version of mapped RAM');
  places.take(8, 'page size of mapped RAM');
  places.take(8, 'place of the bitmap');
  const pages = Number(bytes.readBigUInt64BE(places.take(8, 'place of the pages')));
  places.take(Math.ceil(size / PAGE_SIZE / 64) * 8, 'bitmap');
  places.take(pages - places.at, 'gap between bitmap and pages');
  places.take(size, 'contents of a page');
  return size;
}

function takeFields(places: Places, { name, instance, described, bodyOffset, bodySize }: DeviceSection): void {
  if (described)
    for (const field of fieldsOf(described)) {
      if (bodyOffset + field.offset > places.at)
        places.take(bodyOffset + field.offset - places.at, 'head of a part of a section', `${name}/${instance}`);
      places.take(field.size, `field of type ${field.type}`, `${name}/${instance} ${field.path}`);
    }
  places.take(bodyOffset + bodySize - places.at, 'rest of a section', `${name}/${instance}`);
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\d+|[^"\d]+/g;

/** Notes the words of the description by their kinds: keys, values of keys, punctuation. */
function takeDescription(places: Places, length: number): void {
  places.take(1, 'type of the description');
  places.take(4, 'length of the description');
  const json = places.bytes.toString('latin1', places.at, places.at + length);
  let key = '';
  for (const [token, text, colon] of json.matchAll(TOKEN)) {
    if (text && colon) key = text;
    const kind = text ? (colon ? 'key' : `text of ${key}`) : /\d/.test(token) ? `number of ${key}` : 'punctuation';
    places.take(token.length, `description: ${kind}`);
  }
}
