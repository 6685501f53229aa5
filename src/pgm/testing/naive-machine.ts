import { PAGE_SIZE } from '../../../formats/sizes.ts';

// Memory as the specification has it, done in the plainest way: a page is a byte array or nothing, sets say the rest,
// every byte is looked up on its own. Shares no code with the memory that it judges. Refusals are VirtualBox's codes.

export const RAM_A = { first: 0, end: 64 };
/** From 1 MiB on: with A20 off, the guest finds RAM A and the hole there. */
export const RAM_B = { first: 256, end: 288 };
export const ROMS = [
  { first: 20, pages: 2, isShadowed: false },
  { first: 70, pages: 3, isShadowed: true },
] as const;
export const DEVICE_PAGES = 4;

export interface NaiveHandler {
  kind: 'write' | 'all' | 'mmio' | 'rom';
  start: number;
  end: number;
  name: string;
  answer: 'done' | 'default';
}

export class Refused extends Error {}

type Bytes = Uint8Array | undefined;

export class NaiveMachine {
  readonly ram = new Map<number, Bytes>();
  readonly ballooned = new Set<number>();
  readonly shared = new Set<number>();
  readonly monitored = new Set<number>();
  readonly written = new Set<number>();
  readonly writeLocks = new Map<number, number>();
  readonly readLocks = new Map<number, number>();
  /** Ranges over RAM or in holes, by frame; MMIO by the start of its registration. */
  readonly over = new Map<
    number,
    { kind: 'mmio'; start: number } | { kind: 'mmio2'; page: number } | { kind: 'rom'; rom: number; page: number }
  >();
  readonly device: Uint8Array[] = Array.from({ length: DEVICE_PAGES }, () => new Uint8Array(PAGE_SIZE));
  deviceAt: number | undefined;
  readonly virgin: Uint8Array[][] = [];
  readonly shadow: Bytes[][] = [];
  readonly protection: number[][] = [];
  handlers: NaiveHandler[] = [];
  /** Pages whose handlers are off. */
  readonly off = new Set<number>();
  readonly aliases = new Map<number, number>();
  readonly log: string[] = [];
  /** CPUs whose A20 gate is off. */
  readonly a20Off = new Set<number>();
  noMoreWrites = false;
  isMonitoring = false;

  constructor() {
    for (const { first, end } of [RAM_A, RAM_B])
      for (let frame = first; frame < end; frame++) this.ram.set(frame, undefined);
    for (const [rom, { first, pages }] of ROMS.entries()) {
      this.virgin.push(
        Array.from({ length: pages }, (_, page) => new Uint8Array(PAGE_SIZE).fill(0xc0 + rom * 8 + page)),
      );
      this.shadow.push(Array.from({ length: pages }, () => undefined));
      this.protection.push(Array.from({ length: pages }, () => 1));
      for (let page = 0; page < pages; page++) this.over.set(first + page, { kind: 'rom', rom, page });
      this.handlers.push({
        kind: 'rom',
        start: first * PAGE_SIZE,
        end: (first + pages) * PAGE_SIZE,
        name: 'rom',
        answer: 'default',
      });
    }
  }

  isRam(frame: number): boolean {
    return this.ram.has(frame) && !this.over.has(frame);
  }

  /** Name of the range of a frame. */
  rangeOf(frame: number): string | undefined {
    if (frame >= RAM_A.first && frame < RAM_A.end) return 'A';
    if (frame >= RAM_B.first && frame < RAM_B.end) return 'B';
    const over = this.over.get(frame);
    if (over?.kind === 'mmio') return `mmio ${over.start}`;
    return over?.kind === 'rom' ? `rom ${over.rom}` : over?.kind;
  }

  isLocked(frame: number): boolean {
    return (this.writeLocks.get(frame) ?? 0) > 0 || (this.readLocks.get(frame) ?? 0) > 0;
  }

  handlerAt(address: number): NaiveHandler | undefined {
    return this.handlers.find(({ start, end }) => address >= start && address < end);
  }

  read(address: number, size: number, origin: number | 'device'): number[] {
    const bytes: number[] = [];
    for (let done = 0; done < size; ) {
      const at = this.#passA20(address + done, origin);
      const piece = Math.min(size - done, PAGE_SIZE - (at % PAGE_SIZE));
      bytes.push(...this.#readPiece(at, piece, origin));
      done += piece;
    }
    return bytes;
  }

  #readPiece(at: number, size: number, origin: number | 'device'): number[] {
    const frame = Math.floor(at / PAGE_SIZE);
    const handler = this.off.has(frame) || this.aliases.has(frame) ? undefined : this.handlerAt(at);
    if (handler?.kind === 'all' || handler?.kind === 'mmio') {
      this.log.push(`${handler.name} read ${at}+${size} ${origin}`);
      if (handler.answer === 'done') return Array(size).fill(0x42);
    }
    const bytes = this.seen(frame);
    return Array.from({ length: size }, (_, i) => (bytes === 'nothing' ? 0xff : (bytes?.[(at + i) % PAGE_SIZE] ?? 0)));
  }

  /** The bytes of memory at a frame, past the handlers. */
  seen(frame: number): Bytes | 'nothing' {
    const alias = this.aliases.get(frame);
    if (alias !== undefined) return this.device[alias];
    const over = this.over.get(frame);
    if (over?.kind === 'mmio2') return this.device[over.page];
    if (over?.kind === 'rom')
      return this.protection[over.rom][over.page] >= 3
        ? this.shadow[over.rom][over.page]
        : this.virgin[over.rom][over.page];
    if (over || !this.ram.has(frame)) return 'nothing';
    return this.ram.get(frame);
  }

  write(address: number, bytes: Uint8Array, origin: number | 'device'): void {
    if (bytes.length > 0 && this.noMoreWrites) throw new Refused('no-more-writes');
    let logged: NaiveHandler | undefined;
    let entry = '';
    let count = 0;
    const flush = () => {
      if (count > 0) this.log.push(`${entry}+${count} ${origin}`);
      count = 0;
    };
    for (let i = 0; i < bytes.length; i++) {
      const at = this.#passA20(address + i, origin);
      const frame = Math.floor(at / PAGE_SIZE);
      const handler = this.off.has(frame) || this.aliases.has(frame) ? undefined : this.handlerAt(at);
      if (handler !== logged || at % PAGE_SIZE === 0 || count === 0) {
        flush();
        logged = handler;
        entry = handler && handler.kind !== 'rom' ? `${handler.name} write ${at}` : '';
      }
      if (entry !== '') count++;
      if (handler?.answer === 'done') continue;
      this.writeByte(frame, at % PAGE_SIZE, bytes[i]);
    }
    flush();
  }

  writeByte(frame: number, at: number, value: number): void {
    const alias = this.aliases.get(frame);
    const over = this.over.get(frame);
    if (alias !== undefined) this.device[alias][at] = value;
    else if (over?.kind === 'mmio2') this.device[over.page][at] = value;
    else if (over?.kind === 'rom') this.#writeRom(over.rom, over.page, at, value);
    else if (over === undefined && this.ram.has(frame) && !this.ballooned.has(frame)) {
      this.makeWritable(frame);
      (this.ram.get(frame) as Uint8Array)[at] = value;
    }
  }

  #writeRom(rom: number, page: number, at: number, value: number): void {
    const protection = this.protection[rom][page];
    if (protection === 1 || protection === 3) return;
    this.shadow[rom][page] ??= new Uint8Array(PAGE_SIZE);
    (this.shadow[rom][page] as Uint8Array)[at] = value;
  }

  makeWritable(frame: number): void {
    if (!this.ram.get(frame)) this.ram.set(frame, new Uint8Array(PAGE_SIZE));
    this.shared.delete(frame);
    if (this.monitored.delete(frame)) this.written.add(frame);
  }

  free(frame: number): void {
    this.ram.set(frame, undefined);
    this.shared.delete(frame);
    if (this.monitored.delete(frame)) this.written.add(frame);
  }

  /** Frames that may have changed since the last take; they are monitored from now on. */
  take(): number[] {
    const isChanged = (frame: number) =>
      this.isRam(frame) &&
      ((this.ram.get(frame) !== undefined && !this.monitored.has(frame) && !this.shared.has(frame)) ||
        this.written.has(frame) ||
        (this.writeLocks.get(frame) ?? 0) > 0);
    const frames = [...this.ram.keys()].filter(isChanged).sort((a, b) => a - b);
    for (const frame of frames) {
      if (this.ram.get(frame) && !this.shared.has(frame)) this.monitored.add(frame);
      this.written.delete(frame);
    }
    return frames;
  }

  counts(): Record<string, number> {
    const ram = [...this.ram.keys()].filter((frame) => this.isRam(frame));
    const withBytes = ram.filter((frame) => this.ram.get(frame) !== undefined);
    const mmio = [...this.over].filter(([, over]) => over.kind === 'mmio').map(([frame]) => frame);
    const shadows = this.shadow.flatMap((pages, rom) => (ROMS[rom].isShadowed ? pages : []));
    const pureMmio = mmio.filter((frame) => !this.ram.has(frame)).length;
    const virgin = ROMS.reduce((sum, { pages }) => sum + pages, 0);
    const romInHoles = ROMS.filter(({ first }) => !this.ram.has(first)).reduce((sum, { pages }) => sum + pages, 0);
    const held = (locks: Map<number, number>) => [...locks.values()].filter((count) => count > 0).length;
    return {
      all: this.ram.size + romInHoles + shadows.length + DEVICE_PAGES + pureMmio,
      private: withBytes.length - this.shared.size + virgin + shadows.filter((bytes) => bytes).length + DEVICE_PAGES,
      shared: this.shared.size,
      zero: ram.length - withBytes.length + mmio.length - pureMmio + shadows.filter((bytes) => !bytes).length,
      pureMmio,
      monitored: this.monitored.size,
      writtenTo: this.written.size,
      writeLocked: held(this.writeLocks),
      readLocked: held(this.readLocks),
      ballooned: this.ballooned.size,
    };
  }

  #passA20(address: number, origin: number | 'device'): number {
    return origin !== 'device' && this.a20Off.has(origin) && Math.floor(address / 2 ** 20) % 2 === 1
      ? address - 2 ** 20
      : address;
  }
}
