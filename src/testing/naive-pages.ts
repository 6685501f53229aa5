import { NAIVE_FINAL, type NaiveUnit, naiveUnits } from './naive-units.ts';

// The place of each page of a good state in the file, found the naive way, whole in memory: shares no code with the
// readers that it judges.

export interface NaivePage {
  /** Number of the pgm unit in the file, from 0. */
  pass: number;
  /**
   * `RAM 0x1000`, `ROM 0xf0000`, `shadow 0xe2000`, `protection 0xe2000` by address; `MMIO2 VRam 0x1000` by description
   * and offset.
   */
  key: string;
  /**
   * Bytes of the file without which the page can't be had: `[start, end)`; the blocks of its content count as a whole.
   */
  start: number;
  end: number;
  /** 4096 bytes; zeros where the record says so. */
  content: Buffer;
}

const PAGE = 4096;
/** Ends lists. */
const END = 0xffffffff;

/**
 * All page records of a state, in file order. Of equal `key` the last one counts.
 * @param names of ranges by address, for version 6, which holds none
 */
export function naivePages(file: Buffer, names: ReadonlyMap<number, string> = new Map()): NaivePage[] {
  return naivePagesOf(naiveUnits(file), names);
}

/** The same of a state whose units are known. */
export function naivePagesOf(units: readonly NaiveUnit[], names: ReadonlyMap<number, string>): NaivePage[] {
  const pages: NaivePage[] = [];
  const roms = new Map<number, NaiveRange>();
  const mmio2 = new Map<number, NaiveRange>();
  let pass = 0;
  let hasPass0 = false;
  for (const unit of units) {
    if (unit.name !== 'pgm') continue;
    if (unit.pass === 0) hasPass0 = true;
    const walk = new NaiveWalk(unit, pass++, roms, mmio2);
    if (unit.version >= 10)
      pages.push(
        ...walk.records(unit.pass === NAIVE_FINAL, unit.pass === 0 || (unit.pass === NAIVE_FINAL && !hasPass0)),
      );
    else if (unit.version === 6) pages.push(...walk.chunks(names));
    else pages.push(...walk.ranges());
  }
  return pages;
}

/** Memory of a state in the end: the record that counts, by key. */
export function naiveMemory(pages: readonly NaivePage[]): Map<string, NaivePage> {
  return new Map(pages.filter(({ key }) => !key.startsWith('protection')).map((page) => [page.key, page]));
}

export function naiveKey(kind: string, name: string, place: number): string {
  return `${kind} ${kind === 'MMIO2' ? `${name} ` : ''}0x${place.toString(16)}`;
}

interface NaiveRange {
  name: string;
  address: number;
}

class NaiveWalk {
  readonly #unit: NaiveUnit;
  readonly #pass: number;
  readonly #roms: Map<number, NaiveRange>;
  readonly #mmio2: Map<number, NaiveRange>;
  #at = 0;
  /** The piece found last; places ascend. */
  #piece = 0;

  constructor(unit: NaiveUnit, pass: number, roms: Map<number, NaiveRange>, mmio2: Map<number, NaiveRange>) {
    this.#unit = unit;
    this.#pass = pass;
    this.#roms = roms;
    this.#mmio2 = mmio2;
  }

  /** Versions 10 to 14. */
  records(isFinal: boolean, hasConfig: boolean): NaivePage[] {
    const { version, payload } = this.#unit;
    if (isFinal) this.#passBasic();
    if (hasConfig) {
      if (version >= 11) this.#at += 12;
      this.#readList(this.#roms, true);
      this.#readList(this.#mmio2, false);
    }
    const pages: NaivePage[] = [];
    let frame = 0;
    let id = 0;
    let page = 0;
    for (let type = payload[this.#at]; type !== 0xff; type = payload[this.#at]) {
      const head = this.#at++;
      const kind = type & 0x7f;
      const isRam = kind <= 1 || kind === 8;
      if (isRam) frame = type >= 0x80 ? Number(payload.readBigUInt64LE(this.#at)) / PAGE : frame + 1;
      else {
        id = type >= 0x80 ? payload[this.#at] : id;
        page = type >= 0x80 ? payload.readUInt32LE(this.#at + 1) : page + 1;
      }
      if (type >= 0x80) this.#at += isRam ? 8 : 5;
      if (kind >= 4 && kind <= 7) this.#at++;
      const range = (kind >= 4 ? this.#roms : this.#mmio2).get(id);
      const place = isRam ? frame * PAGE : (range?.address ?? 0) + page * PAGE;
      pages.push(this.#page(naiveKey(KINDS[kind], range?.name ?? '', place), head, [1, 2, 4, 5].includes(kind)));
    }
    return pages;
  }

  /** Versions 7 to 9. */
  ranges(): NaivePage[] {
    const { payload, version } = this.#unit;
    if (version >= 9) this.#passBasic();
    else this.#at = 4 + 1 + 8 + 4 + 1 + 8 + 4 + 4 + 4;
    const pages: NaivePage[] = [];
    while (payload.readUInt32LE(this.#at) !== END) {
      const first = Number(payload.readBigUInt64LE(this.#at + 4));
      const count = Number(payload.readBigUInt64LE(this.#at + 20)) / PAGE;
      this.#at += 29;
      const name = this.#text();
      for (let page = 0; page < count; page++) {
        const head = this.#at;
        const type = payload[this.#at++];
        if (type === 4) this.#at++;
        const kind = ['none', 'RAM', 'MMIO2', 'none', 'ROM', 'ROM', 'none'][type];
        const place = (kind === 'MMIO2' ? 0 : first) + page * PAGE;
        // Protections 1 and 2 read the ROM, so the first of two pages is its own.
        const swapped = type === 4 && payload[head + 1] >= 3;
        pages.push(this.#page(naiveKey(swapped ? 'shadow' : kind, name, place), head, payload[this.#at++] === 1));
        if (type === 4)
          pages.push(this.#page(naiveKey(swapped ? 'ROM' : 'shadow', name, place), head, payload[this.#at++] === 1));
      }
    }
    return pages.filter(({ key }) => !key.startsWith('none'));
  }

  /** Version 6: flags of all pages of a range, then contents; of RAM in pieces of 1 MiB that may be absent. */
  chunks(names: ReadonlyMap<number, string>): NaivePage[] {
    const { payload } = this.#unit;
    this.#at = 41;
    this.#passMappings();
    const pages: NaivePage[] = [];
    for (let index = 0; payload.readUInt32LE(this.#at) !== END; index++) {
      const first = Number(payload.readBigUInt64LE(this.#at + 4));
      const count = Number(payload.readBigUInt64LE(this.#at + 20)) / PAGE;
      const isOwn = payload[this.#at + 28] === 1;
      const flags = this.#at + 29;
      this.#at = flags + 2 * count;
      const isChunked = !isOwn && first + count * PAGE <= 0xe0000000;
      let isPresent = isOwn;
      for (let page = 0; (isOwn || isChunked) && page < count; page++) {
        const head = this.#at;
        if (isChunked && page % 256 === 0) isPresent = payload[this.#at++] === 1;
        const flag = payload[flags + 2 * page];
        const kind = flag & 8 ? 'MMIO2' : flag & 4 ? 'none' : flag & 2 ? 'ROM' : flag & 1 ? 'none' : 'RAM';
        const place = (kind === 'MMIO2' ? 0 : first) + page * PAGE;
        pages.push(this.#page(naiveKey(kind, names.get(first) ?? `RAM range ${index}`, place), head, isPresent));
      }
    }
    return pages.filter(({ key }) => !key.startsWith('none'));
  }

  #page(key: string, head: number, hasContent: boolean): NaivePage {
    const content = hasContent ? this.#unit.payload.subarray(this.#at, this.#at + PAGE) : Buffer.alloc(PAGE);
    if (hasContent) this.#at += PAGE;
    return { pass: this.#pass, key, content, start: this.#fileStart(head), end: this.#fileEnd(this.#at) };
  }

  #fileStart(payloadAt: number): number {
    const { pieces } = this.#unit;
    while (pieces[this.#piece].at + pieces[this.#piece].size <= payloadAt) this.#piece++;
    const piece = pieces[this.#piece];
    return piece.isRaw ? piece.start + payloadAt - piece.at : piece.start;
  }

  #fileEnd(payloadEnd: number): number {
    const { pieces } = this.#unit;
    let i = this.#piece;
    while (pieces[i].at + pieces[i].size < payloadEnd) i++;
    return pieces[i].isRaw ? pieces[i].start + payloadEnd - pieces[i].at : pieces[i].end;
  }

  #passBasic(): void {
    const { version, payload } = this.#unit;
    this.#at = version >= 12 ? 25 : 21;
    while (payload.length >= this.#at + 4 && payload.readUInt32LE(this.#at) === 0x19200102)
      this.#at += version >= 14 ? 53 : 21;
    if (version < 14) this.#passMappings();
  }

  #passMappings(): void {
    const { payload } = this.#unit;
    while (payload.readUInt32LE(this.#at) !== END) {
      this.#at += 4;
      this.#text();
      this.#at += 16;
    }
    this.#at += 4;
  }

  /**
   * Reads a list of ROMs: id, device, instance, region, description, address, size; or of MMIO2 ranges, which have no
   * address. Id 0xff ends it.
   */
  #readList(ranges: Map<number, NaiveRange>, hasAddress: boolean): void {
    const { payload } = this.#unit;
    for (let id = payload[this.#at++]; id !== 0xff; id = payload[this.#at++]) {
      this.#text();
      this.#at += 5;
      const name = this.#text();
      ranges.set(id, { name, address: hasAddress ? Number(payload.readBigUInt64LE(this.#at)) : 0 });
      this.#at += hasAddress ? 16 : 8;
    }
  }

  #text(): string {
    const { payload } = this.#unit;
    const start = this.#at + 4;
    this.#at = start + payload.readUInt32LE(this.#at);
    return payload.toString('latin1', start, this.#at);
  }
}

/** By record type. */
const KINDS = ['RAM', 'RAM', 'MMIO2', 'MMIO2', 'ROM', 'shadow', 'shadow', 'protection', 'RAM'];
