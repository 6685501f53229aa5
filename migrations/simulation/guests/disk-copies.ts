import type { Socket } from 'node:net';
import type { Listener } from '../../../formats/world/sockets.ts';
import { world } from '../../../formats/world/world.ts';

/** Sectors of a guest's disk; each has one byte. */
export const SECTORS = 24;
/** Bytes of a request: sector, and content. */
const REQUEST = 2;
/** In place of a sector: the content of all requests before has to be on the disk. */
const FLUSH = 255;

type Args = Record<string, unknown>;

/** Reports a job that has ended. */
type Tell = (event: string, data: object) => void;

/** A copy of a disk over a connection, in the manner of QEMU's `write-blocking` mirror. */
interface Copy {
  disk: Uint8Array;
  target: string;
  /** Requests that were sent, and those that the other side has answered. */
  sent: number;
  acknowledged: number;
  /** The copy ends as soon as all is answered. */
  isEnding: boolean;
}

/** A block node for a disk of another QEMU. */
interface Away {
  socket: Socket;
  /** To be called when something has changed: an answer, or the end of the connection. */
  waiting: (() => void)[];
}

/** The disks of a guest, as its QEMU copies them to those of another one. */
export class DiskCopies {
  readonly #disks: readonly Uint8Array[];
  readonly #tell: Tell;
  readonly #nodes = new Map<string, Away>();
  readonly #copies = new Map<string, Copy>();

  constructor(disks: readonly Uint8Array[], tell: Tell) {
    this.#disks = disks;
    this.#tell = tell;
  }

  /** Jobs and block nodes that somebody has made and not removed. */
  get left(): string[] {
    return [...this.#copies.keys(), ...this.#nodes.keys()];
  }

  /** Carries out a write of the guest. */
  write(number: number, sector: number, content: number): void {
    const disk = this.#disks[number];
    disk[sector] = content;
    for (const [job, copy] of this.#copies) if (copy.disk === disk) this.#send(job, copy, sector);
  }

  /** Resolves when the other side has opened its disk. */
  addNode({ 'node-name': name, server, export: exported }: Args): Promise<object> {
    const node = String(name);
    if (this.#nodes.has(node)) throw new Error(`Duplicate nodes with node-name='${node}'`);
    const socket = world.sockets.connect((server as { path: string }).path);
    socket.on('error', () => {});
    socket.write(`${exported}\n`);
    return new Promise((resolve, reject) => {
      const fail = () =>
        reject(new Error('Failed to read initial magic: Unexpected end-of-file before all data were read'));
      socket.once('close', fail);
      socket.once('data', () => {
        this.#nodes.set(node, { socket, waiting: [] });
        socket.off('close', fail).once('close', () => this.#lose(node));
        socket.on('data', (bytes: Buffer) => this.#take(node, bytes.length));
        resolve({});
      });
    });
  }

  deleteNode({ 'node-name': name }: Args): void {
    const node = this.#nodes.get(String(name));
    if (!node) throw new Error(`Failed to find node with node-name='${name}'`);
    if (this.#of(String(name))) throw new Error(`Node ${name} is in use`);
    this.#nodes.delete(String(name));
    node.socket.destroy();
  }

  begin({ 'job-id': id, device, target }: Args): void {
    const [job, number] = [String(id), Number(String(device).replace('disk', ''))];
    if (this.#copies.has(job)) throw new Error(`Job ID '${job}' already in use`);
    if (!this.#nodes.has(String(target))) throw new Error(`Cannot find node ${target}`);
    const copy = { disk: this.#disks[number], target: String(target), sent: 0, acknowledged: 0, isEnding: false };
    this.#copies.set(job, copy);
    for (let sector = 0; sector < SECTORS; sector++) this.#send(job, copy, sector);
  }

  get jobs(): object[] {
    return [...this.#copies].map(([device, { sent, acknowledged }]) => {
      const ready = acknowledged >= SECTORS;
      return { device, len: sent, offset: acknowledged, ready, status: ready ? 'ready' : 'running' };
    });
  }

  cancel({ device, force = false }: Args): void {
    const copy = this.#copies.get(String(device));
    if (!copy) throw new Error(`Block job '${device}' not found`);
    copy.isEnding = true;
    if (force || copy.acknowledged < SECTORS) this.#end(String(device), 'BLOCK_JOB_CANCELLED');
    else this.#send(String(device), copy, FLUSH);
  }

  /** Resolves when the other disks have all writes, or cannot be reached; undefined where there are none. */
  flush(): Promise<void> | undefined {
    if (this.#copies.size === 0) return undefined;
    for (const [job, copy] of this.#copies) this.#send(job, copy, FLUSH);
    return Promise.all([...this.#copies].map(([job, copy]) => this.#answered(job, copy))).then(() => {});
  }

  #answered(job: string, copy: Copy): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        const isOver = copy.acknowledged >= copy.sent || this.#copies.get(job) !== copy;
        if (isOver) resolve();
        else this.#nodes.get(copy.target)?.waiting.push(look);
      };
      look();
    });
  }

  /** The copy on a node. */
  #of(node: string): [string, Copy] | undefined {
    return [...this.#copies].find(([, { target }]) => target === node);
  }

  /** Sends a sector; only so a job learns that its connection has ended. */
  #send(job: string, copy: Copy, sector: number): void {
    copy.sent++;
    const socket = this.#nodes.get(copy.target)?.socket;
    if (!socket || socket.destroyed) this.#end(job, 'BLOCK_JOB_COMPLETED', 'Input/output error');
    else socket.write(Buffer.of(sector, copy.disk[sector] ?? 0));
  }

  #take(node: string, count: number): void {
    const [job, copy] = this.#of(node) ?? [];
    if (job === undefined || !copy) return;
    copy.acknowledged += count;
    if (copy.isEnding && copy.acknowledged >= copy.sent) this.#end(job, 'BLOCK_JOB_COMPLETED');
    this.#tellWaiting(node);
  }

  #lose(node: string): void {
    const [job, copy] = this.#of(node) ?? [];
    if (job !== undefined && copy && copy.acknowledged < copy.sent)
      this.#end(job, 'BLOCK_JOB_COMPLETED', 'Input/output error');
    this.#tellWaiting(node);
  }

  #tellWaiting(node: string): void {
    for (const look of this.#nodes.get(node)?.waiting.splice(0) ?? []) look();
  }

  #end(device: string, event: string, error?: string): void {
    const copy = this.#copies.get(device);
    this.#copies.delete(device);
    this.#tell(event, { device, ...(error === undefined ? {} : { error }) });
    if (copy) this.#tellWaiting(copy.target);
  }
}

/** The disks of a QEMU that waits for its guest: others fill them over a socket. */
export class DiskServer {
  readonly #disks: readonly Uint8Array[];
  /** Disks by the names under which they are open. */
  readonly #exports = new Map<string, Uint8Array>();
  readonly #clients = new Map<Socket, string>();
  #listener: Promise<Listener> | undefined;

  constructor(disks: readonly Uint8Array[]) {
    this.#disks = disks;
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

  addExport({ id, 'node-name': node }: Args): void {
    if (this.#exports.has(String(id))) throw new Error(`Block export id '${id}' is already in use`);
    this.#exports.set(String(id), this.#disks[Number(String(node).replace('disk', ''))]);
  }

  deleteExport({ id }: Args): void {
    if (!this.#exports.delete(String(id))) throw new Error(`Export '${id}' is not found`);
    this.#hangUp(String(id));
  }

  /** @param of name of a disk; by default all disks */
  #hangUp(of?: string): void {
    for (const [client, name] of this.#clients) {
      if (of !== undefined && of !== name) continue;
      this.#clients.delete(client);
      client.destroy();
    }
  }

  #serve(socket: Socket): void {
    let held = Buffer.alloc(0);
    let name: string | undefined;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      const end = name === undefined ? held.indexOf('\n') : -1;
      if (end >= 0) {
        name = held.toString('utf8', 0, end);
        held = held.subarray(end + 1);
        if (this.#exports.has(name)) socket.write(Buffer.of(1));
        else socket.destroy();
        this.#clients.set(socket, name);
      }
      while (name !== undefined && held.length >= REQUEST && !socket.destroyed) {
        const disk = this.#exports.get(name);
        if (disk && held[0] !== FLUSH) disk[held[0] % SECTORS] = held[1];
        held = held.subarray(REQUEST);
        socket.write(Buffer.of(1));
      }
    });
  }
}
