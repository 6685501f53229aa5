import { readU32 } from '../../formats/binary/little-endian.ts';
import { hex, UsageError } from '../../formats/errors.ts';
import { type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../formats/sizes.ts';
import { HostMemory } from '../gmm/host-memory.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import { A20Gate } from './access/a20-gate.ts';
import { PageLocks } from './access/page-locks.ts';
import { copyOut, PhysAccess } from './access/phys-access.ts';
import { PhysHandlers } from './access/phys-handlers.ts';
import type { AccessOrigin, PhysMemory } from './access/phys-memory.ts';
import type { VirtualWatch } from './access/virtual-watch.ts';
import { MmioRanges } from './devices/mmio-ranges.ts';
import { Mmio2Ranges } from './devices/mmio2-ranges.ts';
import { RomRanges } from './devices/rom-ranges.ts';
import { Balloon } from './pages/balloon.ts';
import { checkAddress, checkStretch } from './pages/check-stretch.ts';
import { GuestPages } from './pages/guest-pages.ts';
import { HostBacking } from './pages/host-backing.ts';
import { LargePages } from './pages/large-pages.ts';
import { PageRequests } from './pages/page-requests.ts';
import { HandlerState, PageState } from './pages/page-states.ts';
import { RamRange } from './pages/ram-range.ts';
import { RangeList } from './pages/range-list.ts';
import { WriteMonitor } from './pages/write-monitor.ts';

/** Counts of accesses to guest memory. */
export interface AccessCounts {
  /** Calls that read. */
  reads: number;
  /** Bytes read. */
  readBytes: number;
  /** Calls that wrote. */
  writes: number;
  /** Bytes written. */
  writeBytes: number;
}

/**
 * The guest's memory: ranges of pages, and all accesses to them. Savers and loaders may read pages and the arrays of
 * `ranges` directly; every change of a page goes through this class.
 */
export class GuestMemory implements PhysMemory {
  /** All ranges, in ascending order of addresses. */
  readonly ranges = new RangeList();
  /** @internal */
  readonly pages: GuestPages;
  /** Handlers of accesses to physical addresses. */
  readonly handlers: PhysHandlers;
  /** Tells which pages are written. */
  readonly monitor: WriteMonitor;
  /** ROMs with their shadows. */
  readonly roms: RomRanges;
  /** Memory of devices. */
  readonly mmio2: Mmio2Ranges;
  /** Registers of devices. */
  readonly mmio: MmioRanges;
  /** Pages that devices have mapped. */
  readonly locks: PageLocks;
  /** @internal */
  readonly largePages: LargePages;
  /** Memory that the guest has given back. */
  readonly balloon: Balloon;
  /** Requests of other machines to this one. @internal */
  readonly requests: PageRequests;
  /** The A20 gates of the CPUs. */
  readonly a20 = new A20Gate();
  /** Counts as of now. */
  readonly accesses: AccessCounts = { reads: 0, readBytes: 0, writes: 0, writeBytes: 0 };
  readonly #backing: HostBacking;
  readonly #access: PhysAccess;
  #noMoreWrites = false;
  /** Offset in the chunk of the access that was just looked up. */
  #at = 0;

  /** @param backing source of pages; by default a host of its own */
  constructor(backing: HostBacking = new HostBacking(new HostMemory())) {
    this.#backing = backing;
    this.pages = new GuestPages(backing);
    this.handlers = new PhysHandlers(this.ranges, this.pages);
    this.monitor = new WriteMonitor(this.ranges, this.pages);
    this.roms = new RomRanges(this.ranges, this.pages, this.handlers);
    this.mmio2 = new Mmio2Ranges(this.ranges, this.pages, this.handlers);
    this.mmio = new MmioRanges(this.ranges, this.pages, this.handlers);
    this.locks = new PageLocks(this.ranges, this.pages);
    this.largePages = new LargePages(this.ranges, this.pages);
    this.balloon = new Balloon(this.ranges, this.pages);
    this.requests = new PageRequests(this.ranges, this.pages, this.monitor);
    backing.account.moveOut = (isLeaving) => {
      backing.handy.moveOut(isLeaving);
      this.requests.moveOut(isLeaving);
    };
    this.#access = new PhysAccess(this.ranges, this.pages, this.handlers);
  }

  /**
   * Adds RAM; all of its pages are zero. @throws UsageError VERR_INVALID_PARAMETER, VERR_PGM_RAM_CONFLICT;
   * HostMemoryError when the host declines
   */
  registerRam(start: GuestPhys, size: number, description: string): RamRange {
    checkStretch(`register RAM ${description}`, start, size);
    const range = new RamRange(start, size / PAGE_SIZE, 'ram', description);
    this.ranges.expectFree(range);
    this.#backing.reserve('base', range.pages);
    this.ranges.insert(range);
    this.pages.counts.all += range.pages;
    this.pages.counts.zero += range.pages;
    return range;
  }

  /** Lets handlers of virtual addresses see accesses to the bytes that they watch. @internal */
  set virtualHandlers(watch: VirtualWatch | undefined) {
    this.#access.virtual = watch;
  }

  read(gcPhys: GuestPhys, target: Uint8Array, origin: AccessOrigin = 0, through?: GuestVirt): void {
    checkAddress(gcPhys);
    this.accesses.reads++;
    this.accesses.readBytes += target.length;
    const chunk = this.#readable(gcPhys, target.length, origin);
    if (chunk !== undefined) {
      copyOut(chunk, this.#at, target);
      return;
    }
    for (let done = 0; done < target.length; ) {
      const at = this.#passA20(gcPhys + done, origin);
      const piece = target.subarray(done, done + PAGE_SIZE - (at % PAGE_SIZE));
      this.#access.readPiece(at, piece, origin, through === undefined ? undefined : through + BigInt(done));
      done += piece.length;
    }
  }

  /** @throws UsageError `no-more-writes` while a final pass runs; EnvironmentError VERR_EM_NO_MEMORY */
  write(gcPhys: GuestPhys, source: Uint8Array, origin: AccessOrigin = 0, through?: GuestVirt): void {
    checkAddress(gcPhys);
    this.accesses.writes++;
    this.accesses.writeBytes += source.length;
    const chunk = this.#writable(gcPhys, source.length, origin);
    if (chunk !== undefined) {
      chunk.set(source, this.#at);
      return;
    }
    if (source.length > 0) this.expectWritable(gcPhys);
    for (let done = 0; done < source.length; ) {
      const at = this.#passA20(gcPhys + done, origin);
      const piece = source.subarray(done, done + PAGE_SIZE - (at % PAGE_SIZE));
      this.#access.writePiece(at, piece, origin, through === undefined ? undefined : through + BigInt(done));
      done += piece.length;
    }
  }

  /** Writes `size` bytes of one value. */
  fill(gcPhys: GuestPhys, size: number, value: number, origin: AccessOrigin = 0): void {
    const bytes = new Uint8Array(Math.min(size, PAGE_SIZE)).fill(value);
    for (let done = 0; done < size; ) {
      const piece = Math.min(size - done, PAGE_SIZE - ((gcPhys + done) % PAGE_SIZE));
      this.write(gcPhys + done, bytes.subarray(0, piece), origin);
      done += piece;
    }
  }

  /** 4 bytes, little-endian, as the guest reads them. */
  readU32(gcPhys: GuestPhys, origin: AccessOrigin = 0): number {
    const chunk = this.#readable(gcPhys, 4, origin);
    if (chunk === undefined) {
      const bytes = new Uint8Array(4);
      this.read(gcPhys, bytes, origin);
      return readU32(bytes, 0);
    }
    this.accesses.reads++;
    this.accesses.readBytes += 4;
    return readU32(chunk, this.#at);
  }

  /** Writes 4 bytes, little-endian, as `write`. */
  writeU32(gcPhys: GuestPhys, value: number, origin: AccessOrigin = 0): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
    this.write(gcPhys, bytes, origin);
  }

  /** 8 bytes, little-endian, as the guest reads them. */
  readU64(gcPhys: GuestPhys, origin: AccessOrigin = 0): bigint {
    const bytes = new Uint8Array(8);
    this.read(gcPhys, bytes, origin);
    return BigInt(readU32(bytes, 0)) | (BigInt(readU32(bytes, 4)) << 32n);
  }

  /** Writes 8 bytes, little-endian, as `write`. */
  writeU64(gcPhys: GuestPhys, value: bigint, origin: AccessOrigin = 0): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.write(gcPhys, bytes, origin);
  }

  /** Refuses writes while set: the final pass of a save would miss them. */
  setNoMorePhysWrites(set: boolean): void {
    this.#noMoreWrites = set;
  }

  /** Value set last. */
  get noMorePhysWrites(): boolean {
    return this.#noMoreWrites;
  }

  /** ID of the page that backs an address; 0 where none does. @internal */
  hostPageOf(gcPhys: GuestPhys): number {
    const range = this.ranges.find(gcPhys);
    return range === undefined ? 0 : range.pageId[range.pageOf(gcPhys)];
  }

  /** Returns all pages to the host. The memory may not be used any more. */
  close(): void {
    for (const range of this.ranges) {
      for (let page = 0; page < range.pages; page++)
        if (range.state[page] === PageState.SHARED) this.pages.apply('free', range, page);
    }
    this.pages.flush();
    this.#backing.close();
  }

  /** @throws UsageError `no-more-writes` @internal */
  expectWritable(gcPhys: GuestPhys): void {
    if (this.#noMoreWrites)
      throw new UsageError('no-more-writes', `Cannot write to ${hex(gcPhys)}: the last pass of its save is under way`, {
        gcPhys,
      });
  }

  /** The chunk from which a read within one page can be copied; undefined if the access needs more than a copy. */
  #readable(gcPhys: GuestPhys, length: number, origin: AccessOrigin): Uint8Array | undefined {
    if (origin !== 'device' && !this.a20.isOn(origin)) return undefined;
    const range = this.ranges.find(gcPhys);
    if (range === undefined) return undefined;
    const offset = gcPhys - range.start;
    const page = Math.floor(offset / PAGE_SIZE);
    const from = offset - page * PAGE_SIZE;
    const id = range.pageId[page];
    if (id === 0 || from + length > PAGE_SIZE || range.handler[page] === HandlerState.ALL) return undefined;
    if (this.#access.isWatched(range, page, HandlerState.ALL)) return undefined;
    this.#at = offsetInChunk(id) + from;
    return this.#backing.chunkBytes(id);
  }

  /** The chunk to which a write within one page can be copied; undefined if the access needs more than a copy. */
  #writable(gcPhys: GuestPhys, length: number, origin: AccessOrigin): Uint8Array | undefined {
    if (this.#noMoreWrites || (origin !== 'device' && !this.a20.isOn(origin))) return undefined;
    const range = this.ranges.find(gcPhys);
    if (range === undefined) return undefined;
    const offset = gcPhys - range.start;
    const page = Math.floor(offset / PAGE_SIZE);
    const from = offset - page * PAGE_SIZE;
    if (
      range.state[page] !== PageState.ALLOCATED ||
      range.handler[page] >= HandlerState.WRITE ||
      from + length > PAGE_SIZE ||
      this.#access.isWatched(range, page, HandlerState.WRITE)
    )
      return undefined;
    const id = range.pageId[page];
    this.#at = offsetInChunk(id) + from;
    return this.#backing.chunkBytes(id);
  }

  #passA20(gcPhys: GuestPhys, origin: AccessOrigin): GuestPhys {
    return origin === 'device' ? gcPhys : this.a20.pass(origin, gcPhys);
  }
}
