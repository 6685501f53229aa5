import { hex } from '../../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NIL_PAGE_ID } from '../../gmm/page-id.ts';
import { checkStretch } from '../pages/check-stretch.ts';
import { PageState, PageType, PdeType } from '../pages/page-states.ts';
import { pgmError } from '../pages/pgm-errors.ts';
import { RamRange } from '../pages/ram-range.ts';
import { DeviceRanges } from './device-ranges.ts';
import { findOverlaid, freeOverlaid } from './overlay.ts';

/** PGMMMIO2RANGE: memory of a device, such as video memory; it exists also while the guest has not mapped it. */
export interface Mmio2Range {
  /** VirtualBox's name of the device. */
  readonly device: string;
  /** Number among devices of one name. */
  readonly instance: number;
  /** Number among the device's regions. */
  readonly region: number;
  /** For people. */
  readonly description: string;
  /** Pages of 4 KiB. */
  readonly pages: number;
  /** Page of the host's memory, by page. */
  readonly pageId: Uint32Array;
  /** Address at which it is mapped; undefined while unmapped. */
  readonly address: GuestPhys | undefined;
}

/** Device memory to be registered. */
export interface NewMmio2 {
  /** VirtualBox's name of the device. */
  device: string;
  /** Number among devices of one name. */
  instance: number;
  /** Up to 255. */
  region: number;
  /** Bytes, whole pages. */
  size: number;
  /** For people. */
  description: string;
}

/** Deregisters all regions of a device. */
export const ALL_REGIONS = 0xffffffff;
const MAX_REGION = 255;
const MAX_PAGES = 0x3fffffff;

interface Registered extends Mmio2Range {
  address: GuestPhys | undefined;
  /** The range of guest memory that holds its pages while it is mapped. */
  within?: RamRange;
}

/** The MMIO2 ranges of a machine, in the order of their registration (guest-memory.md 6). */
export class Mmio2Ranges extends DeviceRanges {
  #registered: Registered[] = [];

  /** All ranges, in the order of their registration. */
  get all(): readonly Mmio2Range[] {
    return this.#registered;
  }

  /** @throws UsageError VERR_NOT_FOUND */
  get(device: string, instance: number, region: number): Mmio2Range {
    return this.#get(device, instance, region);
  }

  /** The MMIO2 range that is mapped at an address. */
  at(gcPhys: GuestPhys): Mmio2Range | undefined {
    return this.#registered.find(
      ({ address, pages }) => address !== undefined && gcPhys >= address && gcPhys < address + pages * PAGE_SIZE,
    );
  }

  /**
   * Adds device memory, zero and mapped nowhere. @throws UsageError VERR_INVALID_PARAMETER, VERR_ALREADY_EXISTS;
   * EnvironmentError VERR_EM_NO_MEMORY
   */
  register({ device, instance, region, size, description }: NewMmio2): Mmio2Range {
    const what = `MMIO2 ${device}/${instance}/${region}`;
    checkStretch(`register ${what}`, 0, size);
    if (!(region >= 0 && region <= MAX_REGION) || size / PAGE_SIZE > MAX_PAGES)
      throw pgmError(
        'VERR_INVALID_PARAMETER',
        `Cannot register ${what}: regions are 0 to ${MAX_REGION}, of at most ${MAX_PAGES} pages`,
      );
    if (this.#find(device, instance, region))
      throw pgmError('VERR_ALREADY_EXISTS', `Cannot register ${what}: it is registered already`);
    const pages = size / PAGE_SIZE;
    const pageId = new Uint32Array(pages);
    this.pages.allocate('fixed', pages, pageId);
    const name = instance === 0 ? description : `${description} [${instance}]`;
    const registered: Registered = { device, instance, region, description: name, pages, pageId, address: undefined };
    this.#registered.push(registered);
    this.pages.counts.all += pages;
    this.pages.counts.private += pages;
    return registered;
  }

  /**
   * Maps device memory at an address: into a hole, or over RAM, whose content is lost.
   * @throws UsageError VERR_NOT_FOUND, VERR_WRONG_ORDER when it is mapped, VERR_INVALID_PARAMETER,
   * VERR_PGM_RAM_CONFLICT
   */
  map(device: string, instance: number, region: number, address: GuestPhys): void {
    if (address === 0)
      throw pgmError('VERR_INVALID_PARAMETER', `Cannot map ${device}/${instance}/${region}: its address is 0`);
    const mmio2 = this.#get(device, instance, region);
    const size = mmio2.pages * PAGE_SIZE;
    checkStretch(`map ${mmio2.description}`, address, size);
    if (mmio2.address !== undefined)
      throw pgmError('VERR_WRONG_ORDER', `Cannot map ${mmio2.description}: it is mapped at ${hex(mmio2.address)}`);
    const overlaid = findOverlaid(this.ranges, mmio2.description, address, size, [PageType.RAM]);
    if (overlaid) freeOverlaid(this.pages, overlaid);
    const range = overlaid?.range ?? new RamRange(address, mmio2.pages, 'mmio2', mmio2.description);
    if (!overlaid) this.ranges.insert(range);
    else this.pages.counts.zero -= mmio2.pages;
    const first = range.pageOf(address);
    for (let page = 0; page < mmio2.pages; page++) {
      range.type[first + page] = PageType.MMIO2;
      range.state[first + page] = PageState.ALLOCATED;
      range.pageId[first + page] = mmio2.pageId[page];
      this.pages.changed(range, first + page);
    }
    mmio2.address = address;
    mmio2.within = range;
  }

  /**
   * @throws UsageError VERR_NOT_FOUND, VERR_WRONG_ORDER when it is not mapped or has handlers, VERR_INVALID_PARAMETER
   * when it is mapped elsewhere
   */
  unmap(device: string, instance: number, region: number, address: GuestPhys): void {
    const mmio2 = this.#get(device, instance, region);
    if (mmio2.address === undefined)
      throw pgmError('VERR_WRONG_ORDER', `Cannot unmap ${mmio2.description}: it is not mapped`);
    if (mmio2.address !== address)
      throw pgmError(
        'VERR_INVALID_PARAMETER',
        `Cannot unmap ${mmio2.description}: it is at ${hex(mmio2.address)}, not ${hex(address)}`,
      );
    this.#unmap(mmio2);
  }

  /** Unmaps device memory and maps it elsewhere. If the new place is refused, the memory stays unmapped. */
  move(device: string, instance: number, region: number, address: GuestPhys): void {
    const mmio2 = this.#get(device, instance, region);
    if (mmio2.address !== undefined) this.#unmap(mmio2);
    this.map(device, instance, region, address);
  }

  /**
   * Removes device memory and gives it back. @param region `ALL_REGIONS` for all of the device @throws UsageError
   * VERR_NOT_FOUND, VERR_WRONG_ORDER
   */
  deregister(device: string, instance: number, region: number): void {
    const isMeant = (each: Registered) =>
      each.device === device && each.instance === instance && (region === ALL_REGIONS || each.region === region);
    const meant = this.#registered.filter(isMeant);
    if (meant.length === 0 && region !== ALL_REGIONS) throw notFound(device, instance, region);
    for (const mmio2 of meant) {
      if (mmio2.address !== undefined) this.#unmap(mmio2);
      this.handlers.dropAliasesOf(mmio2.pageId);
      this.#registered = this.#registered.filter((each) => each !== mmio2);
      this.pages.backing.freePages('fixed', mmio2.pageId);
      this.pages.backing.reserve('fixed', -mmio2.pages);
      this.pages.counts.all -= mmio2.pages;
      this.pages.counts.private -= mmio2.pages;
    }
  }

  #unmap(mmio2: Registered): void {
    const { within: range, address, pages } = mmio2;
    if (!range || address === undefined) return;
    this.#expectNoLocks(mmio2, range, range.pageOf(address));
    if (range.kind === 'mmio2') {
      const handler = this.handlers.list.atOrAbove(range.start);
      if (handler && handler.start < range.end)
        throw pgmError(
          'VERR_WRONG_ORDER',
          `Cannot unmap ${mmio2.description}: handler ${handler.description} is still registered there`,
        );
      this.ranges.remove(range);
    } else {
      const first = range.pageOf(address);
      for (let page = first; page < first + pages; page++) {
        range.type[page] = PageType.RAM;
        range.state[page] = PageState.ZERO;
        range.pageId[page] = NIL_PAGE_ID;
        range.setPdeType(page, PdeType.DONT_CARE);
        this.pages.changed(range, page);
      }
      this.pages.counts.zero += pages;
    }
    mmio2.address = undefined;
    delete mmio2.within;
  }

  #expectNoLocks({ description, pages }: Registered, range: RamRange, first: number): void {
    for (let page = first; page < first + pages; page++) {
      if (range.readLocks[page] > 0 || range.writeLocks[page] > 0)
        throw pgmError(
          'VERR_WRONG_ORDER',
          `Cannot unmap ${description}: its page at ${hex(range.addressOf(page))} is locked`,
        );
    }
  }

  #find(device: string, instance: number, region: number): Registered | undefined {
    return this.#registered.find(
      (each) => each.device === device && each.instance === instance && each.region === region,
    );
  }

  #get(device: string, instance: number, region: number): Registered {
    const found = this.#find(device, instance, region);
    if (found) return found;
    throw notFound(device, instance, region);
  }
}

function notFound(device: string, instance: number, region: number): Error {
  return pgmError('VERR_NOT_FOUND', `Cannot find MMIO2 ${device}/${instance}/${region}: there is none`);
}
