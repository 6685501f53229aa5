import { once } from 'node:events';
import { join } from 'node:path';
import { InterruptedError, type SavkitError, UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { type ByteSource, chunksOf, openFile } from '../../formats/files/source.ts';
import { removeFile } from '../../formats/files/temporary-files.ts';
import { record, text, withDefault } from '../../formats/values/shape.ts';
import { sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { statusOf } from '../guests/guest-facts.ts';
import { privateFolder, removeFolder } from '../guests/memory/private-folder.ts';
import { type EndWithUs, endWithUs } from '../qmp/end-with-us.ts';
import { awaitConnection } from '../qmp/one-connection.ts';
import { QemuProcess } from '../qmp/qemu-process.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';

export interface QemuStart {
  /** Program: a name to be searched in PATH, or a path. */
  program: string;
  arguments: readonly string[];
  /** The machine uses the terminal of this process: its display, its serial port. */
  isShown?: boolean;
  /** Called with QEMU's output on stderr, piece by piece. */
  onWords?: (words: string) => void;
  signal?: AbortSignal;
}

const statusShape = record({ status: withDefault(text(64), 'none') });

const POLL_MS = 10;
const END_MS = 10_000;

/** A QEMU that writes its stream, or loads one. */
export class WakingQemu {
  readonly qmp: QmpClient;
  /** Folder for files that QEMU writes for savkit, closed to other users. */
  readonly folder: string;
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>;
  readonly #started: QemuProcess;
  readonly #signal: AbortSignal | undefined;
  readonly #watchdog: EndWithUs;
  /** Ends the process: a QEMU that hangs would keep all callers waiting. */
  readonly #kill = () => this.#started.kill();

  private constructor(
    process: QemuProcess,
    qmp: QmpClient,
    { folder, watchdog, signal }: { folder: string; watchdog: EndWithUs; signal: AbortSignal | undefined },
  ) {
    this.qmp = qmp;
    this.folder = folder;
    this.#started = process;
    this.#signal = signal;
    this.#watchdog = watchdog;
    signal?.addEventListener('abort', this.#kill);
    // An abort while connecting had no listener.
    if (signal?.aborted) this.#kill();
    this.ended = process.ended.then(() => {
      signal?.removeEventListener('abort', this.#kill);
      watchdog.release();
      removeFolder(folder);
    });
  }

  /** Number of QEMU's process. */
  get pid(): number {
    return this.#started.pid;
  }

  get isOver(): boolean {
    return this.#started.isOver;
  }

  /** The reason of QEMU's end, unless guest or user wanted it. */
  get fault(): SavkitError | undefined {
    return this.isOver && !this.#started.endedWell ? this.#started.whyEnded() : undefined;
  }

  /**
   * Starts a QEMU, which the signal ends until its guest goes on.
   * @throws EnvironmentError if the program does not exist, UnsupportedError `qemu-refuses` in QEMU's words
   */
  static async start({ program, arguments: args, isShown, onWords, signal }: QemuStart): Promise<WakingQemu> {
    const folder = privateFolder();
    const socket = join(folder, 'qmp');
    const words = [...args, '-qmp', `unix:${socket},server=on,wait=off`];
    let started: QemuProcess | undefined;
    let watchdog: EndWithUs | undefined;
    try {
      started = QemuProcess.start(program, words, socket, { isShown, onWords });
      // A killed savkit leaves no QEMU behind, which would hold on to the guest's memory.
      watchdog = endWithUs(started.pid, folder);
      return new WakingQemu(started, await started.connect(signal), { folder, watchdog, signal });
    } catch (error) {
      started?.kill();
      watchdog?.release();
      removeFolder(folder);
      if (!(started && error instanceof MigrationError && error.code === 'qemu-ended')) throw error;
      const why = started.lastWords(true) || 'it ends at once and says nothing';
      throw new UnsupportedError('qemu-refuses', `Cannot start ${program}: ${why}`);
    }
  }

  /** Has QEMU write its stream to a sink. @throws UnsupportedError in QEMU's words */
  async save(sink: ByteSink): Promise<void> {
    const path = join(this.folder, 'out');
    const { connection, close } = await awaitConnection(path);
    try {
      await this.qmp.execute('migrate', { uri: `unix:${path}` });
      const failed = this.#migrated('write its state');
      const socket = await Promise.race([connection, failed.then(() => undefined)]);
      if (socket) for await (const piece of socket) await sink.write(piece as Uint8Array);
      await failed;
    } finally {
      close();
    }
  }

  /**
   * Has QEMU, started with `-incoming defer`, load a stream.
   * @throws UnsupportedError in QEMU's words, InterruptedError
   */
  async load(source: ByteSource, onProgress?: (offset: number) => void): Promise<void> {
    const path = join(this.folder, 'in');
    await this.qmp.execute('migrate-incoming', { uri: `unix:${path}` });
    const socket = world.sockets.connect(path);
    let broken: Error | undefined;
    socket.on('error', (error) => {
      broken = error;
    });
    await Promise.race([once(socket, 'connect'), this.ended]);
    let offset = 0;
    for await (const piece of chunksOf(source)) {
      // A QEMU that refuses the state stops reading; the reason is read below.
      if (broken || this.#started.isOver) break;
      offset += piece.length;
      if (!socket.write(Uint8Array.from(piece)))
        await Promise.race([once(socket, 'drain').catch(() => {}), this.ended]);
      onProgress?.(offset);
      if (this.#signal?.aborted) throw new InterruptedError();
    }
    socket.end();
    await this.#migrated('load the state');
  }

  /** Calls `use` with a temporary file of guest-physical memory as a CPU would read it. */
  async withMemory<T>(gcPhys: number, size: number, use: (memory: ByteSource) => Promise<T>): Promise<T> {
    const path = join(this.folder, 'memory');
    await this.qmp.execute('pmemsave', { val: gcPhys, size, filename: path });
    const memory = await openFile(path);
    // The file lives on under its descriptor, so that a killed process leaves nothing of the guest.
    removeFile(path);
    try {
      return await use(memory);
    } finally {
      await memory.close();
    }
  }

  /** Stops the guest for some work; if the work fails, a guest that ran goes on. */
  async whileItStands<T>(work: () => Promise<T>): Promise<T> {
    const ran = (await statusOf(this.qmp)) === 'running';
    await this.qmp.execute('stop');
    try {
      return await work();
    } catch (error) {
      if (ran) await this.qmp.execute('cont').catch(() => {});
      throw error;
    }
  }

  /** Lets the guest go on. From here on it survives savkit, since its writes to disks are in no state. */
  async goOn(): Promise<void> {
    this.#watchdog.keep();
    this.#signal?.removeEventListener('abort', this.#kill);
    await this.qmp.execute('cont');
  }

  async quit(): Promise<void> {
    if (this.#started.isOver) return;
    await this.qmp.execute('quit').catch(() => {});
    if (!(await this.#started.hasEnded(END_MS))) this.#started.kill();
    await this.ended;
  }

  async #migrated(what: string): Promise<void> {
    for (;;) {
      if (this.#signal?.aborted) throw new InterruptedError();
      const status = await this.#migrationStatus();
      if (status === 'completed') return;
      if (status === undefined || status === 'failed' || status === 'cancelled') {
        await sleep(POLL_MS);
        throw new UnsupportedError(
          'qemu-refuses',
          `Cannot have QEMU ${what}: ${this.#started.lastWords() || 'it does not say why'}`,
        );
      }
      await sleep(POLL_MS);
    }
  }

  /** State of QEMU's migration, in its words; undefined if QEMU has ended. */
  async #migrationStatus(): Promise<string | undefined> {
    try {
      return (await this.qmp.ask('query-migrate', statusShape)).status;
    } catch (error) {
      if (await this.#started.hasEnded(END_MS)) return undefined;
      throw error;
    }
  }
}
