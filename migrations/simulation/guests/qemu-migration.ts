import type { Socket } from 'node:net';
import { IGNORE_SHARED } from '../../../formats/qemu/constants.ts';
import type { Listener } from '../../../formats/world/sockets.ts';
import { world } from '../../../formats/world/world.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';
import { type Devices, devicesAsStream, devicesOf } from './device-blob.ts';

/** The parts of a QEMU that moving its devices needs. */
interface MovedQemu {
  readonly process: SimulatedProcess;
  readonly status: string;
  readonly ticks: number;
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly isPrivate: boolean;
  /** Whether this is a QEMU 7.2. */
  readonly isOld: boolean;
  /** Each is called with each page that the guest writes. */
  readonly onWritten: Set<(page: number) => void>;
  catchUp(now: number): void;
  standStill(status: 'finish-migrate'): boolean;
  endSave(status: 'paused' | 'postmigrate', runs: boolean): void;
  load(devices: Devices): void;
}

/** Longest time, in ms, that each step takes. */
const STEP_MS = 20;
/** The guest stands still, all memory was sent, and QEMU waits to be told before it saves devices. */
const WAITS = 'pre-switchover';

function pathOf(uri: string): string {
  return uri.slice('unix:'.length);
}

function later({ process }: MovedQemu, work: () => void): void {
  const { timeline, random } = process.host.around;
  timeline.add(random.below(STEP_MS * 100) / 100, process, work);
}

/** Bytes of a stream with memory that are sent while the guest runs. */
const MEMORY_BYTES = 100;

/** QEMU saves its devices to a socket that it connects to. */
export class OutgoingDevices {
  readonly #qemu: MovedQemu;
  #status = 'none';
  #why = '';
  #socket: Socket | undefined;
  #ran = false;
  /** Whether QEMU has stopped the guest, or found it paused, for the end of the save. */
  #hasStopped = false;
  /** Number of looks at the dirty pages. */
  #looks = 0;
  #isDirty = false;
  readonly #noteWrite = () => {
    this.#isDirty = true;
  };

  constructor(qemu: MovedQemu) {
    this.#qemu = qemu;
  }

  get isUnderWay(): boolean {
    return ['setup', 'active', WAITS, 'device', 'cancelling'].includes(this.#status);
  }

  /** State of the migration, as `query-migrate` tells it. */
  get told(): object {
    if (this.#status === 'none') return {};
    const ram = { 'dirty-sync-count': this.#looks };
    return { status: this.#status, ram, ...(this.#why === '' ? {} : { 'error-desc': this.#why }) };
  }

  begin(uri: string): void {
    if (this.isUnderWay) throw new Error("There's a migration process in progress");
    const { status } = this.#qemu;
    if (status === 'inmigrate') throw new Error('Guest is waiting for an incoming migration');
    if (status === 'postmigrate') throw new Error("Can't migrate the vm that was paused due to previous migration");
    [this.#status, this.#why, this.#looks, this.#hasStopped] = ['setup', '', 0, false];
    const socket = world.sockets.connect(pathOf(uri));
    this.#socket = socket;
    socket.on('error', (error) => this.#end('failed', error.message));
    socket.once('close', () => {
      // QEMU does not look at its socket while it waits.
      if (!socket.writableFinished && this.#status !== WAITS)
        this.#end('failed', 'Unable to write to socket: Broken pipe');
    });
    socket.once('connect', () => {
      if (this.#status === 'setup') this.#status = 'active';
      later(this.#qemu, () => (this.#qemu.isPrivate ? this.#handOut(socket) : this.#send(socket)));
    });
  }

  /** Sends memory that is not shared, again and again until the guest has written nothing since the last look. */
  #handOut(socket: Socket): void {
    if (this.#status !== 'active' || socket !== this.#socket) return;
    const { process, onWritten } = this.#qemu;
    this.#qemu.catchUp(process.host.around.timeline.now);
    const isFirst = this.#looks === 0;
    if (isFirst) socket.write(this.#stream().subarray(0, MEMORY_BYTES));
    if (isFirst || this.#isDirty) {
      onWritten.add(this.#noteWrite);
      this.#isDirty = false;
      this.#looks++;
      later(this.#qemu, () => this.#handOut(socket));
      return;
    }
    this.#standStill();
    this.#status = WAITS;
  }

  /** Lets the migration go on from its wait to the devices. */
  goOn(): void {
    if (this.#status !== WAITS) throw new Error(`Migration not in expected state: ${this.#status}`);
    const socket = this.#socket;
    this.#status = 'device';
    if (!socket || socket.destroyed) this.#end('failed', 'Unable to write to socket: Broken pipe');
    else this.#finish(socket, this.#stream().subarray(MEMORY_BYTES));
  }

  #stream(): Buffer {
    const { ticks, isPrivate, capabilities } = this.#qemu;
    const form = isPrivate ? 'handedOut' : capabilities[IGNORE_SHARED] ? 'leftOut' : 'whole';
    return devicesAsStream({ ticks, ran: this.#ran }, form);
  }

  /** Ends the migration a moment later. */
  cancel(): void {
    if (!this.isUnderWay || this.#status === 'cancelling') return;
    this.#status = 'cancelling';
    later(this.#qemu, () => this.#end('cancelled', ''));
    this.#socket?.destroy();
  }

  #send(socket: Socket): void {
    if (this.#status !== 'active' || socket !== this.#socket) return;
    this.#status = 'device';
    this.#standStill();
    this.#finish(socket, this.#stream());
  }

  #standStill(): void {
    this.#ran = this.#qemu.standStill('finish-migrate');
    this.#hasStopped = true;
  }

  #finish(socket: Socket, bytes: Buffer): void {
    const half = bytes.length >> 1;
    socket.write(bytes.subarray(0, half));
    later(this.#qemu, () => {
      if (this.#status !== 'device' || socket !== this.#socket) return;
      socket.end(bytes.subarray(half));
      later(this.#qemu, () => {
        if (this.#status !== 'device' || socket !== this.#socket) return;
        this.#status = 'completed';
        this.#qemu.onWritten.delete(this.#noteWrite);
        this.#qemu.endSave('postmigrate', false);
      });
    });
  }

  #end(status: 'failed' | 'cancelled', why: string): void {
    const isCancelled = this.#status === 'cancelling';
    if (!this.isUnderWay || isCancelled !== (status === 'cancelled')) return;
    this.#qemu.onWritten.delete(this.#noteWrite);
    [this.#status, this.#why] = [status, why];
    // Seen with a real QEMU 7.2 and 10.0.
    if (this.#hasStopped) this.#qemu.endSave(this.#qemu.isOld ? 'postmigrate' : 'paused', this.#ran);
  }
}

/** QEMU loads devices from a socket that it listens on; a QEMU that cannot load them ends. */
export class IncomingDevices {
  readonly #qemu: MovedQemu;
  status: 'setup' | 'active' | 'completed' | undefined;
  /** The next load fails. */
  refuses = false;

  constructor(qemu: MovedQemu) {
    this.#qemu = qemu;
  }

  /** State of the migration, as `query-migrate` tells it. */
  get told(): object {
    return this.status ? { status: this.status } : {};
  }

  expect(uri: string): void {
    if (this.#qemu.status !== 'inmigrate') throw new Error("'-incoming' was not specified on the command line");
    if (this.status) throw new Error('The incoming migration has already been started');
    this.status = 'setup';
    let listener: Listener | undefined;
    const accept = (socket: Socket) => {
      listener?.close();
      this.status = 'active';
      const pieces: Buffer[] = [];
      socket.on('error', () => {});
      socket.on('data', (piece: Buffer) => pieces.push(piece));
      socket.once('close', () => later(this.#qemu, () => this.#load(Buffer.concat(pieces))));
    };
    void world.sockets.listen(pathOf(uri), accept).then((found) => {
      listener = found;
    });
  }

  #load(stream: Buffer): void {
    const devices = this.refuses ? undefined : devicesOf(stream, this.#qemu.capabilities[IGNORE_SHARED]);
    if (devices) {
      this.status = 'completed';
      this.#qemu.load(devices);
    } else this.#qemu.process.end('killed');
  }
}
