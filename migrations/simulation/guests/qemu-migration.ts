import type { Socket } from 'node:net';
import { IGNORE_SHARED } from '../../../formats/qemu/constants.ts';
import type { Listener } from '../../../formats/world/sockets.ts';
import { world } from '../../../formats/world/world.ts';
import type { SimulatedProcess } from '../simulated-process.ts';
import { type Devices, devicesAsStream, devicesOf } from './device-blob.ts';

/** A QEMU, as far as its devices are moved. */
interface MovedQemu {
  readonly process: SimulatedProcess;
  readonly status: string;
  readonly ticks: number;
  readonly capabilities: Readonly<Record<string, boolean>>;
  standStill(status: 'finish-migrate'): boolean;
  endSave(status: 'paused' | 'postmigrate', runs: boolean): void;
  load(devices: Devices): void;
}

/** Most ms that each step takes. */
const STEP_MS = 20;

function pathOf(uri: string): string {
  return uri.slice('unix:'.length);
}

function later({ process }: MovedQemu, work: () => void): void {
  const { timeline, random } = process.host.around;
  timeline.add(random.below(STEP_MS * 100) / 100, process, work);
}

/** QEMU saves its devices to a socket that it connects to. */
export class OutgoingDevices {
  readonly #qemu: MovedQemu;
  #status = 'none';
  #why = '';
  #socket: Socket | undefined;
  #ran = false;

  constructor(qemu: MovedQemu) {
    this.#qemu = qemu;
  }

  get isUnderWay(): boolean {
    return ['setup', 'active', 'device'].includes(this.#status);
  }

  /** As `query-migrate` tells it. */
  get told(): object {
    if (this.#status === 'none') return {};
    return { status: this.#status, ...(this.#why === '' ? {} : { 'error-desc': this.#why }) };
  }

  begin(uri: string): void {
    if (this.isUnderWay) throw new Error("There's a migration process in progress");
    const { status } = this.#qemu;
    if (status === 'inmigrate') throw new Error('Guest is waiting for an incoming migration');
    if (status === 'postmigrate') throw new Error("Can't migrate the vm that was paused due to previous migration");
    [this.#status, this.#why] = ['setup', ''];
    const socket = world.sockets.connect(pathOf(uri));
    this.#socket = socket;
    socket.on('error', (error) => this.#end('failed', error.message));
    socket.once('close', () => {
      if (!socket.writableFinished) this.#end('failed', 'Unable to write to socket: Broken pipe');
    });
    socket.once('connect', () => {
      if (this.#status === 'setup') this.#status = 'active';
      later(this.#qemu, () => this.#send(socket));
    });
  }

  cancel(): void {
    this.#end('cancelled', '');
    this.#socket?.destroy();
  }

  #send(socket: Socket): void {
    if (this.#status !== 'active' || socket !== this.#socket) return;
    this.#status = 'device';
    this.#ran = this.#qemu.standStill('finish-migrate');
    const { ticks, capabilities } = this.#qemu;
    const stream = devicesAsStream({ ticks, ran: this.#ran }, capabilities[IGNORE_SHARED]);
    const half = stream.length >> 1;
    socket.write(stream.subarray(0, half));
    later(this.#qemu, () => {
      if (this.#status !== 'device' || socket !== this.#socket) return;
      socket.end(stream.subarray(half));
      later(this.#qemu, () => {
        if (this.#status !== 'device' || socket !== this.#socket) return;
        this.#status = 'completed';
        this.#qemu.endSave('postmigrate', false);
      });
    });
  }

  #end(status: 'failed' | 'cancelled', why: string): void {
    if (!this.isUnderWay) return;
    const hasStopped = this.#status === 'device';
    [this.#status, this.#why] = [status, why];
    if (hasStopped) this.#qemu.endSave('paused', this.#ran);
  }
}

/** QEMU loads devices from a socket that it listens on; if it cannot, it ends. */
export class IncomingDevices {
  readonly #qemu: MovedQemu;
  status: 'setup' | 'active' | 'completed' | undefined;
  /** The next load fails. */
  refuses = false;

  constructor(qemu: MovedQemu) {
    this.#qemu = qemu;
  }

  /** As `query-migrate` tells it. */
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
