import assert from 'node:assert/strict';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { GuestMemory } from '../../pgm/guest-memory.ts';
import { NO_FAULT } from '../page-fault.ts';
import { checkConsistency } from '../shadow/checks/consistency-check.ts';
import { checkPool } from '../shadow/checks/pool-check.ts';
import { ShadowPaging } from '../shadow/shadow-paging.ts';
import type { HostPaging } from '../shadow-mode.ts';
import { compareShadow } from './compare-found.ts';
import { FlatMemory } from './flat-memory.ts';
import { NaiveCpus } from './naive-cpus.ts';
import {
  entryWrite,
  fillTables,
  Random,
  randomAddress,
  randomRegisters,
  TABLE_KINDS,
  TABLE_PAGES,
  type TableKind,
  tamePointers,
} from './random-tables.ts';
import { WatchTwin } from './watch-twin.ts';

const MODEL_PAGES = 48;

export interface ModelOptions {
  host: HostPaging;
  cpus?: number;
  poolPages?: number;
  extents?: number;
  physicalBits?: number;
}

/**
 * A machine on shadow tables beside a naive one: a flat array and the naive walk. Both do the same random things; after
 * each, what the shadow tables say is compared with what the naive walk finds.
 */
export class ShadowModel {
  readonly random: Random;
  readonly memory = new GuestMemory();
  readonly paging: ShadowPaging;
  readonly twin = new Uint8Array(MODEL_PAGES * PAGE_SIZE);
  readonly #naive: NaiveCpus;
  readonly #seed: number;
  readonly #handlers = new Map<number, 'write' | 'all'>();
  /** Handlers of virtual addresses: of this machine, and as the twin knows them. */
  readonly watches: WatchTwin;
  readonly #mapped: Record<TableKind, bigint[]> = { '32-bit': [], pae: [], long: [], la57: [] };
  readonly done = { mapped: 0, faults: 0, compared: 0 };

  constructor(seed: number, options: ModelOptions) {
    this.#seed = seed;
    this.random = new Random(seed);
    this.memory.registerRam(0, this.twin.length, 'Base RAM');
    const { host, ...rest } = options;
    this.paging = new ShadowPaging(this.memory, { ...host, ...rest });
    this.watches = new WatchTwin(this.random, this.paging.virtualHandlers);
    this.#naive = new NaiveCpus(this.twin, this.paging.cpus.length, { physicalBits: options.physicalBits });
    this.fillTables();
  }

  /** Writes random tables for a random kind of paging, as a guest would. */
  fillTables(kind: TableKind = this.random.pick(TABLE_KINDS)): void {
    const tables = new FlatMemory(this.twin);
    fillTables(this.random, tables, kind);
    this.memory.write(PAGE_SIZE, this.twin.subarray(PAGE_SIZE, PAGE_SIZE + TABLE_PAGES * PAGE_SIZE), 'device');
    this.watches.expect('write', PAGE_SIZE, TABLE_PAGES * PAGE_SIZE, undefined);
  }

  /** Does `steps` random things; memory and pool are checked now and then. Errors name the seed. */
  run(steps: number): this {
    try {
      for (let i = 0; i < steps; i++) {
        this.step();
        if (i % 20 !== 0) continue;
        this.compareMemory();
        assert.deepEqual(checkPool(this.paging), []);
      }
      this.compareMemory();
      return this;
    } catch (error) {
      (error as Error).message = `seed ${this.#seed}: ${(error as Error).message}`;
      throw error;
    }
  }

  /** Does one random thing. */
  step(): void {
    const id = this.random.below(this.paging.cpus.length);
    const roll = this.random.below(100);
    if (roll < 50) this.#access(id);
    else if (roll < 65) this.#writeEntry(id);
    else if (roll < 70) this.#writeBytes();
    else if (roll < 74) this.#setRegisters(id);
    else if (roll < 82) this.#loadCr3(id);
    else if (roll < 86) this.paging.cpus[id].invalidatePage(this.#address(id));
    else if (roll < 88) this.paging.cpus[id].prefetch(this.#address(id));
    else if (roll < 89) this.#toggleHandler();
    else if (roll < 92) this.watches.toggle(this.paging.cpus.map((_, cpu) => this.#address(cpu)));
    else if (roll < 93) this.#toggleA20(id);
    else if (roll < 95) this.#changePage();
    else if (roll < 96) this.paging.clearAll();
    else if (roll < 97) this.#reset();
    else this.#compareAddress(id);
    for (const cpu of this.paging.cpus) assert.deepEqual(checkConsistency(cpu), []);
    for (let i = 0; i < 3; i++) this.#compareAddress(this.random.below(this.paging.cpus.length));
  }

  /** Expects memory, accessed and dirty bits included, to be the twin's. */
  compareMemory(): void {
    const bytes = new Uint8Array(this.twin.length);
    for (let page = 0; page < MODEL_PAGES; page++) {
      bytes.set(this.memory.pages.contentOf(this.memory.ranges.get(0), page), page * PAGE_SIZE);
    }
    for (let page = 0; page < MODEL_PAGES; page++) {
      const [a, b] = [bytes, this.twin].map((side) =>
        Buffer.from(side.subarray(page * PAGE_SIZE, page * PAGE_SIZE + PAGE_SIZE)),
      );
      if (!a.equals(b)) {
        const at = a.findIndex((byte, i) => byte !== b[i]);
        assert.fail(`page ${page} differs at offset ${at}: ${a.readUInt8(at)}, twin ${b.readUInt8(at)}`);
      }
    }
  }

  #address(id: number): bigint {
    const { kind } = this.#naive.cpus[id];
    if (kind === 'none') return BigInt(this.random.below(this.twin.length));
    // Addresses that were mapped once are worth going back to.
    const known = this.#mapped[kind];
    return known.length > 0 && this.random.chance(60)
      ? (known.find(() => this.random.chance(20)) ?? randomAddress(this.random, kind))
      : randomAddress(this.random, kind);
  }

  #access(id: number): void {
    const cpu = this.paging.cpus[id];
    const address = this.#address(id);
    const [write, user, fetch] = [this.random.chance(45), this.random.chance(50), this.random.chance(15)];
    const bits = (write ? 2 : 0) | (user ? 4 : 0) | (fetch && !write ? 16 : 0);
    const size = Math.min(1 + this.random.below(8), PAGE_SIZE - Number(address % BigInt(PAGE_SIZE)));
    if (cpu.cr3.isSyncPending && !cpu.plan?.nested) this.watches.look((at) => this.#naive.busAddress(id, at));
    const naive = this.#naive.access(id, address, { write, user, fetch: fetch && !write });
    const bytes = Uint8Array.from({ length: size }, () => this.random.below(256));
    const code = write ? cpu.write(address, bytes, bits) : cpu.read(address, bytes, bits);
    if ('fault' in naive) {
      assert.equal(code, naive.fault, `fault code of ${address.toString(16)}`);
      this.done.faults++;
      return;
    }
    assert.equal(code, NO_FAULT, `no fault at ${address.toString(16)}`);
    this.done.mapped++;
    const { kind } = this.#naive.cpus[id];
    if (kind !== 'none') this.#mapped[kind][this.random.below(40)] ??= address;
    const at = this.#naive.bus(id, Number(naive.gcPhys));
    this.watches.expect(write ? 'write' : 'read', at, size, address);
    if (write) this.#writeTwin(at, bytes);
    else
      assert.deepEqual(
        [...bytes],
        Array.from({ length: size }, (_, i) => this.twin[at + i] ?? 0xff),
      );
  }

  #toggleA20(id: number): void {
    const isOn = this.#naive.a20Off.has(id);
    this.#naive.setA20(id, isOn);
    this.memory.a20.set(id, isOn);
  }

  #writeTwin(at: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) if (at + i < this.twin.length) this.twin[at + i] = bytes[i];
  }

  #writeBoth(at: number, bytes: Uint8Array): void {
    this.memory.write(at, bytes, this.random.chance(20) ? 'device' : this.random.below(this.paging.cpus.length));
    this.watches.expect('write', at, bytes.length, undefined);
    this.#writeTwin(at, bytes);
  }

  #writeEntry(id: number): void {
    const { kind } = this.#naive.cpus[id];
    const { at, bytes } = entryWrite(this.random, kind, MODEL_PAGES);
    this.#writeBoth(at, bytes);
  }

  #writeBytes(): void {
    const at = this.random.below(this.twin.length);
    const size = this.random.chance(93) ? 1 + this.random.below(16) : 1 + this.random.below(5000);
    this.#writeBoth(
      at,
      Uint8Array.from({ length: Math.min(size, this.twin.length - at) }, () =>
        this.random.chance(50) ? 0 : this.random.below(256),
      ),
    );
  }

  #setRegisters(id: number): void {
    const before = this.#naive.cpus[id];
    if (this.random.chance(15)) {
      this.#naive.cpus[id] = {
        kind: 'none',
        cr0: this.random.chance(50) ? 1n : 0n,
        cr3: before.cr3,
        cr4: 0n,
        efer: 0n,
      };
    } else if (this.random.chance(30) && before.kind !== 'none') {
      this.#naive.cpus[id] = { ...before, cr0: before.cr0 ^ (1n << 16n) };
    } else {
      const kind = this.random.pick(TABLE_KINDS);
      const registers = randomRegisters(this.random, kind);
      if (kind === 'pae') this.#tame(registers.cr3);
      this.#naive.cpus[id] = { ...registers, kind };
      if (this.random.chance(25)) this.fillTables(kind);
    }
    const { cr0, cr3, cr4, efer } = this.#naive.cpus[id];
    const keepsPointers = this.#naive.cpus[id].pdptes !== undefined;
    this.paging.cpus[id].setRegisters({ cr0, cr3, cr4, efer });
    if (!keepsPointers) this.#naive.latch(id);
  }

  #loadCr3(id: number): void {
    const twin = this.#naive.cpus[id];
    if (twin.kind === 'none') return;
    if (this.random.chance(60)) twin.cr3 = randomRegisters(this.random, twin.kind).cr3;
    if (twin.kind === 'pae') this.#tame(twin.cr3);
    this.paging.cpus[id].loadCr3(twin.cr3);
    this.#naive.latch(id);
  }

  /** Writes valid pointers, as the guest would. */
  #tame(cr3: bigint): void {
    tamePointers(this.random, new FlatMemory(this.twin), cr3);
    const root = Number(cr3 & 0xffffffe0n);
    this.memory.write(root, this.twin.subarray(root, root + 32));
    this.watches.expect('write', root, 32, undefined);
  }

  #toggleHandler(): void {
    const page = TABLE_PAGES + 1 + this.random.below(MODEL_PAGES - TABLE_PAGES - 1);
    const start = page * PAGE_SIZE;
    if (this.#handlers.delete(start)) {
      this.memory.handlers.deregister(start);
      return;
    }
    if (this.memory.handlers.list.atOrAbove(start)?.start === start) return;
    const kind = this.random.chance(50) ? 'write' : 'all';
    this.memory.handlers.register({
      kind,
      start,
      end: start + PAGE_SIZE,
      description: 'test',
      callback: () => 'default',
    });
    this.#handlers.set(start, kind);
  }

  /** Monitors a page, or takes its memory away when it is all zero. */
  #changePage(): void {
    const range = this.memory.ranges.get(0);
    const page = this.random.below(MODEL_PAGES);
    if (this.random.chance(60)) this.memory.monitor.arm(range, page);
    else if (this.twin.subarray(page * PAGE_SIZE, page * PAGE_SIZE + PAGE_SIZE).every((byte) => byte === 0)) {
      this.memory.pages.apply('free', range, page);
      this.memory.pages.flush();
    }
  }

  #reset(): void {
    this.paging.flushAll();
    for (const id of this.#naive.cpus.keys()) this.#naive.latch(id);
  }

  #compareAddress(id: number): void {
    if (compareShadow(this.paging.cpus[id], this.#naive, this.#address(id), this.random)) this.done.compared++;
  }
}
