import type { Socket } from 'node:net';
import type { Listener } from '../../../formats/world/sockets.ts';
import { world } from '../../../formats/world/world.ts';

/** Sectors of a guest's disk; each has one byte. */
export const SECTORS = 24;
/** Bytes of a request: sector, and content. */
const REQUEST = 2;

type Args = Record<string, unknown>;

/** Tells of a job that has ended. */
type Tell = (event: string, data: object) => void;

/** A copy of the disk over a connection, in the manner of QEMU's `write-blocking` mirror. */
interface Copy {
  job: string;
  target: string;
  /** Sectors that were sent, and those that the other side has written. */
  sent: number;
  acknowledged: number;
  /** It ends as soon as all is acknowledged. */
  isEnding: boolean;
}

/** The disk of a guest, as its QEMU copies it to another one. */
export class DiskCopies {
  readonly #disk: Uint8Array;
  readonly #tell: Tell;
  readonly #nodes = new Map<string, Socket>();
  #copy: Copy | undefined;

  constructor(disk: Uint8Array, tell: Tell) {
    this.#disk = disk;
    this.#tell = tell;
  }

  /** Jobs and block nodes that somebody has made and not removed. */
  get left(): string[] {
    return [...(this.#copy ? [this.#copy.job] : []), ...this.#nodes.keys()];
  }

  /** The guest writes. */
  write(sector: number, content: number): void {
    this.#disk[sector] = content;
    this.#send(sector);
  }

  addNode({ 'node-name': name, server, export: exported }: Args): void {
    if (this.#nodes.has(String(name))) throw new Error(`Duplicate nodes with node-name='${name}'`);
    const socket = world.sockets.connect((server as { path: string }).path);
    this.#nodes.set(String(name), socket);
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => this.#take(String(name), bytes.length));
    socket.once('close', () => this.#lose(String(name)));
    socket.write(`${exported}\n`);
  }

  deleteNode({ 'node-name': name }: Args): void {
    const socket = this.#nodes.get(String(name));
    if (!socket) throw new Error(`Failed to find node with node-name='${name}'`);
    if (this.#copy?.target === name) throw new Error(`Node ${name} is in use`);
    this.#nodes.delete(String(name));
    socket.destroy();
  }

  begin({ 'job-id': job, target }: Args): void {
    if (this.#copy) throw new Error(`Job ID '${job}' already in use`);
    if (!this.#nodes.has(String(target))) throw new Error(`Cannot find node ${target}`);
    this.#copy = { job: String(job), target: String(target), sent: 0, acknowledged: 0, isEnding: false };
    for (let sector = 0; sector < SECTORS; sector++) this.#send(sector);
    if (this.#nodes.get(String(target))?.destroyed) this.#lose(String(target));
  }

  get jobs(): object[] {
    if (!this.#copy) return [];
    const { job, sent, acknowledged } = this.#copy;
    return [{ device: job, len: sent, offset: acknowledged, ready: acknowledged >= SECTORS, status: 'running' }];
  }

  cancel({ device, force = false }: Args): void {
    const copy = this.#copy;
    if (!copy || copy.job !== device) throw new Error(`Block job '${device}' not found`);
    copy.isEnding = true;
    if (force || copy.acknowledged < SECTORS) this.#end('BLOCK_JOB_CANCELLED');
    else this.#endIfDone();
  }

  #send(sector: number): void {
    if (!this.#copy) return;
    this.#copy.sent++;
    this.#nodes.get(this.#copy.target)?.write(Buffer.of(sector, this.#disk[sector]));
  }

  #take(node: string, count: number): void {
    if (this.#copy?.target !== node) return;
    this.#copy.acknowledged += count;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#copy?.isEnding && this.#copy.acknowledged >= this.#copy.sent) this.#end('BLOCK_JOB_COMPLETED');
  }

  #lose(node: string): void {
    if (this.#copy?.target === node) this.#end('BLOCK_JOB_COMPLETED', 'Input/output error');
  }

  #end(event: string, error?: string): void {
    const device = this.#copy?.job;
    this.#copy = undefined;
    this.#tell(event, { device, ...(error === undefined ? {} : { error }) });
  }
}

/** The disk of a QEMU that waits for its guest: others fill it over a socket. */
export class DiskServer {
  readonly #disk: Uint8Array;
  readonly #exports = new Set<string>();
  readonly #clients = new Set<Socket>();
  #listener: Promise<Listener> | undefined;

  constructor(disk: Uint8Array) {
    this.#disk = disk;
  }

  get isOpen(): boolean {
    return this.#listener !== undefined;
  }

  start({ addr }: Args): void {
    if (this.#listener) throw new Error('NBD server already running');
    this.#listener = world.sockets.listen((addr as { data: { path: string } }).data.path, (socket) =>
      this.#serve(socket),
    );
    this.#listener.catch(() => {});
  }

  stop(): void {
    if (!this.#listener) throw new Error('NBD server not running');
    void this.#listener.then((listener) => listener.close());
    this.#listener = undefined;
    this.#hangUp();
  }

  addExport({ id }: Args): void {
    this.#exports.add(String(id));
  }

  deleteExport({ id }: Args): void {
    if (!this.#exports.delete(String(id))) throw new Error(`Export '${id}' is not found`);
    this.#hangUp();
  }

  #hangUp(): void {
    for (const client of this.#clients) client.destroy();
    this.#clients.clear();
  }

  #serve(socket: Socket): void {
    this.#clients.add(socket);
    let held = Buffer.alloc(0);
    let name: string | undefined;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      const end = name === undefined ? held.indexOf('\n') : -1;
      if (end >= 0) {
        name = held.toString('utf8', 0, end);
        held = held.subarray(end + 1);
        if (!this.#exports.has(name)) socket.destroy();
      }
      while (name !== undefined && held.length >= REQUEST && !socket.destroyed) {
        this.#disk[held[0] % SECTORS] = held[1];
        held = held.subarray(REQUEST);
        socket.write(Buffer.of(1));
      }
    });
  }
}
