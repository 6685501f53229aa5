// Where each page of a good state stands in the file, found the naive way, whole in memory: shares no code with the readers that it judges.

export interface NaivePage {
  /** Which pgm unit of the file, from 0. */
  pass: number;
  /** `RAM 0x1000`, `ROM 0xf0000`, `shadow 0xe2000`, `protection 0xe2000` by address; `MMIO2 VRam 0x1000` by description and offset. */
  key: string;
  /** Bytes of the file without which the page can't be had: `[start, end)`; the blocks of its content count as a whole. */
  start: number;
  end: number;
  /** 4096 bytes; zeros where the record says so. */
  content: Buffer;
}

export interface NaiveUnit {
  name: string;
  instance: number;
  version: number;
  pass: number;
  /** Of the file. */
  start: number;
  end: number;
  payload: Buffer;
  /** Parts of the payload: where they stand in the file. */
  pieces: { at: number; size: number; start: number; end: number; isRaw: boolean }[];
}

const PAGE = 4096;
const FINAL = 0xffffffff;

export function naiveUnits(file: Buffer): NaiveUnit[] {
  return file.toString('latin1', 23, 27) === 'V2.0' ? unitsV2(file) : unitsV1(file);
}

function unitsV2(file: Buffer): NaiveUnit[] {
  const units: NaiveUnit[] = [];
  let at = 64;
  while (file.toString('latin1', at, at + 6) === '\nUnit\n') {
    const nameSize = file.readUInt32LE(at + 40);
    const unit = newUnit(file, at, 44, nameSize, file.readUInt32LE(at + 24), file.readUInt32LE(at + 28), file.readUInt32LE(at + 32));
    const parts: Buffer[] = [];
    let p = at + 44 + nameSize;
    for (; (file[p] & 15) !== 1; ) {
      const { size, head } = recordSize(file, p);
      const content = p + head;
      const type = file[p] & 15;
      const bytes = type === 2 ? file.subarray(content, content + size) : Buffer.alloc(file[content] * 1024);
      if (type === 3) naiveLzfDecode(file.subarray(content + 1, content + size), bytes);
      addPiece(unit, parts, bytes, type === 2 ? content : p, content + size, type === 2);
      p = content + size;
    }
    unit.payload = Buffer.concat(parts);
    unit.end = p + 16;
    units.push(unit);
    at = unit.end;
  }
  return units;
}

function unitsV1(file: Buffer): NaiveUnit[] {
  const units: NaiveUnit[] = [];
  let at = file.toString('latin1', 23, 27) === 'V1.1' ? 64 : 80;
  while (file.toString('latin1', at, at + 6) === '\nUnit\n') {
    const nameSize = file.readUInt32LE(at + 24);
    const unit = newUnit(file, at, 28, nameSize, file.readUInt32LE(at + 16), file.readUInt32LE(at + 20), FINAL);
    unit.end = at + Number(file.readBigUInt64LE(at + 8));
    const parts: Buffer[] = [];
    let p = at + 28 + nameSize;
    const type = file[p++];
    if (type === 2) addPiece(unit, parts, file.subarray(p, unit.end), p, unit.end, true);
    while (type === 5 && p < unit.end) {
      const size = file.readUInt16LE(p + 2);
      const bytes = Buffer.alloc(file.readUInt16LE(p + 8));
      naiveLzfDecode(file.subarray(p + 10, p + 10 + size), bytes);
      addPiece(unit, parts, bytes, p, p + 10 + size, false);
      p += 10 + size;
    }
    unit.payload = Buffer.concat(parts);
    units.push(unit);
    at = unit.end;
  }
  return units;
}

function newUnit(file: Buffer, start: number, head: number, nameSize: number, version: number, instance: number, pass: number): NaiveUnit {
  const name = file.toString('latin1', start + head, start + head + nameSize - 1);
  return { name, instance, version, pass, start, end: start, payload: Buffer.alloc(0), pieces: [] };
}

function addPiece(unit: NaiveUnit, parts: Buffer[], bytes: Buffer, start: number, end: number, isRaw: boolean): void {
  const last = unit.pieces.at(-1);
  unit.pieces.push({ at: last ? last.at + last.size : 0, size: bytes.length, start, end, isRaw });
  parts.push(bytes);
}

function recordSize(file: Buffer, p: number): { size: number; head: number } {
  const first = file[p + 1];
  if (first < 0x80) return { size: first, head: 2 };
  const count = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  let size = first & (0x7f >> count);
  for (let i = 1; i < count; i++) size = size * 64 + (file[p + 1 + i] & 63);
  return { size, head: 1 + count };
}

function naiveLzfDecode(data: Buffer, out: Buffer): void {
  let to = 0;
  for (let at = 0; at < data.length; ) {
    const control = data[at++];
    if (control < 32) {
      data.copy(out, to, at, at + control + 1);
      to += control + 1;
      at += control + 1;
      continue;
    }
    let length = control >> 5;
    if (length === 7) length += data[at++];
    let from = to - (((control & 31) << 8) + data[at++] + 1);
    for (length += 2; length > 0; length--) out[to++] = out[from++];
  }
}

/**
 * All page records of a state, in file order. Of equal `key` the last one counts.
 * @param names of ranges by address, for version 6, which holds none
 */
export function naivePages(file: Buffer, names: ReadonlyMap<number, string> = new Map()): NaivePage[] {
  const pages: NaivePage[] = [];
  const roms = new Map<number, NaiveRange>();
  const mmio2 = new Map<number, NaiveRange>();
  let pass = 0;
  let hasPass0 = false;
  for (const unit of naiveUnits(file)) {
    if (unit.name !== 'pgm') continue;
    if (unit.pass === 0) hasPass0 = true;
    const walk = new NaiveWalk(unit, pass++, roms, mmio2);
    if (unit.version >= 10) pages.push(...walk.records(unit.pass === FINAL, unit.pass === 0 || (unit.pass === FINAL && !hasPass0)));
    else if (unit.version === 6) pages.push(...walk.chunks(names));
    else pages.push(...walk.ranges());
  }
  return pages;
}

/** What a state holds in the end: the record that counts, by key. */
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
    while (payload.readUInt32LE(this.#at) !== FINAL) {
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
        if (type === 4) pages.push(this.#page(naiveKey(swapped ? 'ROM' : 'shadow', name, place), head, payload[this.#at++] === 1));
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
    for (let index = 0; payload.readUInt32LE(this.#at) !== FINAL; index++) {
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
    while (payload.length >= this.#at + 4 && payload.readUInt32LE(this.#at) === 0x19200102) this.#at += version >= 14 ? 53 : 21;
    if (version < 14) this.#passMappings();
  }

  #passMappings(): void {
    const { payload } = this.#unit;
    while (payload.readUInt32LE(this.#at) !== FINAL) {
      this.#at += 4;
      this.#text();
      this.#at += 16;
    }
    this.#at += 4;
  }

  /** ROMs: id, device, instance, region, description, address, size; MMIO2 ranges have no address. Ended by id 0xff. */
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
