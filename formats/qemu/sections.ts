import { hex, UnsupportedError } from '../errors.ts';
import { type QemuCommand, type QemuConfiguration, readCommand } from './configuration.ts';
import { BEFORE_NAME, MAX_PARTS, MAX_TAIL, OTHER_PARTED, PartType, RAM_SECTION, RAM_VERSION } from './constants.ts';
import { isPc } from './guest-layout.ts';
import { copyPartedBody, isEarly, isReadableParted, PARTED_VERSION } from './parted-bodies.ts';
import { QemuFormatError, unknownSection } from './qemu-error.ts';
import type { StreamBytes } from './stream-bytes.ts';

/** A section of a stream, in file order. */
export interface QemuSection {
  /** Section `ram` has a start, parts and an end; the section of a device is full. */
  type: 'start' | 'part' | 'end' | 'full';
  /** Number of the section in the stream; parts have their start's. */
  id: number;
  /** Name of the section, such as `ram`, `cpu`, `0000:00:03.0/e1000`. */
  name: string;
  /** Tells sections of one name apart. */
  instance: number;
  /** Version of the body's layout. */
  version: number;
  /** Offset of the type byte, from the start of the file. */
  offset: number;
  /** Offset of the body, from the start of the file. */
  bodyOffset: number;
  /** Bytes of the body. */
  bodySize: number;
  /** Whether the mark with the section's id follows the body. */
  footer: boolean;
}

/** A section in parts besides RAM, or of a device before the pages of RAM, with its bytes. */
export interface PartedSection extends QemuSection {
  /** A copy of the bytes of its body. */
  body: Uint8Array;
}

/** Bytes of memory that a part takes besides its body. */
const PART_SIZE = 128;

/**
 * Heads and ends of the sections in parts, at the start of a stream. Bodies of RAM are left to the reader of pages, all
 * others are copied.
 */
export class PartedSections {
  /** Commands between sections, so far. */
  readonly commands: QemuCommand[] = [];
  /** Sections of RAM, so far. */
  readonly sections: QemuSection[] = [];
  /** Other sections in parts, so far. */
  readonly others: PartedSection[] = [];
  /** The section of RAM whose body is being read. */
  current: QemuSection | undefined;
  /** The first section of each id: a machine that saves bitmaps of disks has tens of thousands of parts. */
  readonly #firsts = new Map<number, QemuSection>();
  /** Bytes that other sections may still take. */
  #left = MAX_TAIL;
  #count = 0;
  readonly #bytes: StreamBytes;
  readonly #configuration: QemuConfiguration;

  constructor(bytes: StreamBytes, configuration: QemuConfiguration) {
    this.#bytes = bytes;
    this.#configuration = configuration;
  }

  /** Reads up to the body of the next RAM section; false at the first device section, or at the end mark. */
  async next(): Promise<boolean> {
    for (;;) {
      const offset = this.#bytes.offset;
      const type = await this.#bytes.peek('type of the next section');
      if (type === PartType.END_MARK || (type === PartType.FULL && !(await this.#isEarly()))) return false;
      this.#bytes.window.position++;
      if (++this.#count > MAX_PARTS)
        throw new UnsupportedError('too-many-units', `Cannot read stream: it has more than ${MAX_PARTS} sections`, {
          offset,
        });
      if (type === PartType.COMMAND) this.commands.push(await readCommand(this.#bytes));
      else if (type === PartType.FULL) await this.#readEarly(offset);
      else if (type === PartType.START) {
        if (await this.#start(offset)) return true;
      } else if (type === PartType.PART || type === PartType.END) {
        if (await this.#goOn(type, offset)) return true;
      } else {
        throw new QemuFormatError(
          'bad-section',
          `Cannot read section at ${hex(offset)}: type ${hex(type)} is unknown`,
          { offset },
          `Unknown savevm section type ${type}`,
        );
      }
    }
  }

  /** Whether the section of a device that begins here precedes the pages of RAM. */
  async #isEarly(): Promise<boolean> {
    if (this.sections.some(({ type }) => type !== 'start')) return false;
    const { window } = this.#bytes;
    await window.need(BEFORE_NAME, 'head of a section');
    const length = window.bytes[window.position + BEFORE_NAME - 1];
    await window.need(BEFORE_NAME + length, 'head of a section');
    const at = window.position + BEFORE_NAME;
    return isEarly(Buffer.from(window.bytes.subarray(at, at + length)).toString('latin1'));
  }

  async #readEarly(offset: number): Promise<void> {
    const head = await this.#readHead('full', offset);
    expectVersion(head, PARTED_VERSION);
    await this.#readOther(head);
  }

  async #readHead(type: SectionHead['type'], offset: number): Promise<SectionHead> {
    const id = await this.#bytes.u32('id of a section');
    const name = await this.#bytes.name('name of a section');
    const instance = await this.#bytes.u32('instance of a section');
    const version = await this.#bytes.u32('version of a section');
    return { type, id, name, instance, version, offset };
  }

  /** Reads the head of a section that starts; of one that is not RAM also the body. @returns whether it is RAM */
  async #start(offset: number): Promise<boolean> {
    const head = await this.#readHead('start', offset);
    const { name, instance } = head;
    const isRam = name === RAM_SECTION && instance === 0;
    if (!isRam && isReadableParted(name) && instance === 0) {
      expectVersion(head, PARTED_VERSION);
      await this.#readOther(head);
      return false;
    }
    this.#expectRam(head, isRam);
    expectVersion(head, RAM_VERSION);
    this.#push(head);
    return true;
  }

  #expectRam({ name, instance, offset }: SectionHead, isRam: boolean): void {
    const what = `Cannot read section ${JSON.stringify(name)} ${instance} at ${hex(offset)}`;
    const isKnown = OTHER_PARTED.test(name) || !isPc(this.#configuration.machine);
    if (isRam ? this.sections.length > 0 : isKnown)
      throw new UnsupportedError('unknown-section', `${what}: the bodies of such a section in parts are not known`, {
        offset,
      });
    if (!isRam)
      throw new QemuFormatError(
        'bad-section',
        `${what}: QEMU has no such section in parts`,
        { offset },
        unknownSection(name, instance),
      );
  }

  /** Reads the head of a further part; of one that is not RAM also the body. @returns whether it is RAM */
  async #goOn(part: number, offset: number): Promise<boolean> {
    const id = await this.#bytes.u32('id of a section');
    const type = part === PartType.PART ? 'part' : 'end';
    const first = this.#firsts.get(id);
    if (!first) {
      throw new QemuFormatError(
        'bad-section',
        `Cannot read section at ${hex(offset)}: no section has the id ${id}`,
        { offset },
        `Unknown savevm section ${id}`,
      );
    }
    const head: SectionHead = { type, id, name: first.name, instance: first.instance, version: first.version, offset };
    const isRam = this.sections[0] === first;
    if (isRam) this.#push(head);
    else await this.#readOther(head);
    return isRam;
  }

  async #readOther(head: SectionHead): Promise<void> {
    const bodyOffset = this.#bytes.offset;
    const body = await copyPartedBody(this.#bytes, head.name, this.#left);
    this.#left -= PART_SIZE + body.length;
    const section: PartedSection = { ...head, bodyOffset, bodySize: body.length, body, footer: false };
    this.others.push(section);
    if (!this.#firsts.has(head.id)) this.#firsts.set(head.id, section);
    await this.#readFooter(section);
  }

  #push(head: SectionHead): void {
    this.current = { ...head, bodyOffset: this.#bytes.offset, bodySize: 0, footer: false };
    this.sections.push(this.current);
    if (this.sections.length === 1) this.#firsts.set(head.id, this.current);
  }

  /** Ends the current section at the present offset, and reads its footer. */
  async end(): Promise<void> {
    const section = this.current as QemuSection;
    section.bodySize = this.#bytes.offset - section.bodyOffset;
    this.current = undefined;
    await this.#readFooter(section);
  }

  async #readFooter(section: QemuSection): Promise<void> {
    // Machine types before 2.4 have no footers.
    if ((await this.#bytes.peek('type of the next section')) !== PartType.FOOTER) return;
    const { offset } = this.#bytes;
    await this.#bytes.u8('footer');
    const id = await this.#bytes.u32('footer');
    if (id !== section.id) throw badFooter(section.name, offset, id, section.id);
    section.footer = true;
  }
}

type SectionHead = Pick<QemuSection, 'type' | 'id' | 'name' | 'instance' | 'version' | 'offset'>;

/** QEMU's message for a section newer than `known`, the newest version that it reads. */
export function unsupportedVersion(name: string, version: number, known: number): string {
  return `savevm: unsupported version ${version} for '${name}' v${known}`;
}

function expectVersion({ name, instance, version, offset }: SectionHead, known: number): void {
  if (version === known) return;
  const what = `Cannot read section ${JSON.stringify(name)} ${instance} at ${hex(offset)}`;
  const error = new UnsupportedError('ram-version', `${what}: version ${version}, expected ${known}`, { offset });
  throw version > known ? error.saying(unsupportedVersion(name, version, known)) : error;
}

/** The error for a section whose body does not end where it should. */
export function badFooter(name: string, offset: number, found: number, expected: number): QemuFormatError {
  const says = `Mismatched section id in footer for ${name} - read ${hex(found)} expected ${hex(expected)}`;
  return new QemuFormatError(
    'bad-footer',
    `Cannot read section ${JSON.stringify(name)}: the mark at ${hex(offset)} after it names section ${found}, ` +
      `expected ${expected}`,
    { offset },
    says,
  );
}
