import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { MachineDescription } from '../machine/description.ts';
import type { SourceMachine, TargetHost, TargetMachine } from '../machine/machine.ts';
import { PageSet } from '../machine/page-set.ts';

const ZEROS = Buffer.alloc(PAGE_SIZE);

/** A machine of one array, with a naive dirty bitmap: what tests compare others with. */
export class PlainMachine implements SourceMachine, TargetMachine {
  readonly description: MachineDescription;
  readonly memory: Uint8Array;
  isSeeded = false;
  readonly runs = true;
  isRunning = true;
  isReleased = false;
  /** Somebody has paused it, as tests may. */
  isPaused = false;
  isDiscarded = false;
  guestShare = 1;
  /** The state beside the pages: a counter. */
  ticks = 0;
  /** Called once for each frame's worth of time that the machine gets. */
  onTakeDirty: (() => void) | undefined;
  readonly #dirty: PageSet;
  #isTracking = false;

  constructor(pages: number, name = 'plain') {
    this.description = {
      hypervisor: 'virtualbox',
      name,
      release: '7.2.22',
      cpus: 1,
      pgmVersion: 14,
      executes: true,
      units: [],
      regions: [
        { kind: 'ram', name: 'RAM', id: 0, firstFrame: 0, pages: pages - 1 },
        { kind: 'rom', name: 'BIOS', id: 1, firstFrame: 0xf0, pages: 1 },
      ],
    };
    this.memory = new Uint8Array(pages * PAGE_SIZE);
    this.#dirty = new PageSet(pages);
  }

  write(page: number, offset: number, value: number): void {
    this.memory[page * PAGE_SIZE + offset] = value;
    if (this.#isTracking) this.#dirty.add(page);
  }

  /** Writes without a note, so that only the proof can find it. */
  writeUnnoticed(page: number, offset: number, value: number): void {
    this.memory[page * PAGE_SIZE + offset] = value;
  }

  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number {
    let copied = 0;
    for (let i = 0; i < count; i++) {
      const bytes = this.memory.subarray(pages[i] * PAGE_SIZE, (pages[i] + 1) * PAGE_SIZE);
      held[i] = ZEROS.equals(bytes) ? 0 : 1;
      if (held[i] === 1) target.set(bytes, at + PAGE_SIZE * copied++);
    }
    return copied;
  }
  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void {
    for (let i = 0; i < count; i++)
      this.memory.set(bytes.subarray(at + i * PAGE_SIZE, at + (i + 1) * PAGE_SIZE), pages[i] * PAGE_SIZE);
  }
  zeroPage(page: number): void {
    this.memory.fill(0, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
  }

  startTracking(): void {
    this.#isTracking = true;
    this.#dirty.clear();
  }
  async takeDirty(into: PageSet): Promise<void> {
    if (this.isRunning) this.onTakeDirty?.();
    into.union(this.#dirty);
    this.#dirty.clear();
  }
  stopTracking(): void {
    this.#isTracking = false;
  }
  async pause(): Promise<void> {
    this.isRunning = false;
  }
  resume(): void {
    this.isRunning = !this.isPaused;
  }
  throttle(share: number): void {
    this.guestShare = share;
  }
  outline(): Promise<Uint8Array> {
    return this.saveRest();
  }
  async saveRest(): Promise<Uint8Array> {
    return Buffer.from(JSON.stringify({ ticks: this.ticks }));
  }
  async loadRest(rest: Uint8Array): Promise<void> {
    this.ticks = (JSON.parse(Buffer.from(rest).toString()) as { ticks: number }).ticks;
  }
  release(): void {
    this.isReleased = true;
    this.isRunning = false;
  }
  start(): void {
    this.isRunning = true;
  }
  discard(): void {
    this.isDiscarded = true;
  }
}

/** Makes plain machines. */
export class PlainHost implements TargetHost {
  maxPages = 1 << 20;
  machine: PlainMachine | undefined;
  /** Called with each machine made, before anything is in it; the source waits for its end. */
  onCreate: ((machine: PlainMachine) => unknown) | undefined;

  async create(description: MachineDescription): Promise<PlainMachine> {
    const pages = description.regions.reduce((sum, region) => sum + region.pages, 0);
    this.machine = new PlainMachine(pages, description.name);
    this.machine.isRunning = false;
    await this.onCreate?.(this.machine);
    return this.machine;
  }
}
