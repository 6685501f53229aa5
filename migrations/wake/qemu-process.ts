import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, InterruptedError, type SavkitError, UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { type ByteSource, chunksOf, openFile } from '../../formats/files/source.ts';
import { record, text, withDefault } from '../../formats/values/shape.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { QmpClient } from '../qmp/qmp-client.ts';

export interface QemuStart {
  /** Program: a name that is looked for, or a path. */
  program: string;
  arguments: readonly string[];
  /** The machine talks to the terminal of this process: its display, its serial port. */
  isShown?: boolean;
  /** Called with what QEMU says on stderr, piece by piece. */
  onWords?: ((words: string) => void) | undefined;
  signal?: AbortSignal;
}

const statusShape = record({ status: withDefault(text(64), 'none') });

const POLL_MS = 10;
/** A start takes some tenths of a second; busy hosts need more. */
const START_MS = 60_000;
const END_MS = 10_000;
/** Bytes of what QEMU says that are kept for an error. */
const WORDS_LIMIT = 4096;

/** A QEMU that was started here, and ends with this process unless it is let go on. */
export class QemuProcess {
  readonly qmp: QmpClient;
  /** For files that QEMU writes for us: only its user may enter. */
  readonly folder: string;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #words: () => string;
  readonly #signal: AbortSignal | undefined;

  private constructor(child: ChildProcess, qmp: QmpClient, folder: string, words: () => string, signal?: AbortSignal) {
    this.qmp = qmp;
    this.folder = folder;
    this.#child = child;
    this.#words = words;
    this.#signal = signal;
    this.ended =
      child.exitCode === null && child.signalCode === null ? once(child, 'exit').then(() => {}) : Promise.resolve();
    void this.ended.then(() => rmSync(folder, { recursive: true, force: true }));
  }

  /** @throws EnvironmentError where there is no such program, UnsupportedError `qemu-refuses` in QEMU's words */
  static async start({ program, arguments: args, isShown = false, onWords, signal }: QemuStart): Promise<QemuProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-'));
    const socket = join(folder, 'qmp');
    const io = isShown ? 'inherit' : 'ignore';
    const child = spawn(program, [...args, '-qmp', `unix:${socket},server=on,wait=off`], { stdio: [io, io, 'pipe'] });
    const words = listenTo(child, onWords);
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
    });
    try {
      for (const since = clock(); ; await sleep(POLL_MS)) {
        if (failure) throw EnvironmentError.from(failure, `start ${program}`);
        if (signal?.aborted) throw new InterruptedError();
        if (child.exitCode !== null || child.signalCode !== null) throw refuses(program, words());
        if (clock() - since > START_MS)
          throw new EnvironmentError('qmp-silent', `Cannot talk to ${program}: it opens no QMP socket`);
        if (!existsSync(socket)) continue;
        const qmp = await QmpClient.connect(socket, signal ? { signal } : {}).catch((error: SavkitError) => {
          if (error.code === 'ECONNREFUSED') return undefined;
          throw error;
        });
        if (qmp) return new QemuProcess(child, qmp, folder, words, signal);
      }
    } catch (error) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Has QEMU write its stream to a sink. @throws UnsupportedError in QEMU's words */
  async save(sink: ByteSink): Promise<void> {
    const path = join(this.folder, 'out');
    const server = createServer();
    try {
      server.listen(path);
      await once(server, 'listening');
      const connected = once(server, 'connection') as Promise<[Socket]>;
      await this.qmp.execute('migrate', { uri: `unix:${path}` });
      const failed = this.#migrated('write its state');
      const socket = await Promise.race([connected.then(([first]) => first), failed.then(() => undefined)]);
      if (socket) for await (const piece of socket) await sink.write(piece as Uint8Array);
      await failed;
    } finally {
      server.close();
    }
  }

  /** Has QEMU, started with `-incoming defer`, load a stream. @throws UnsupportedError in QEMU's words */
  async load(source: ByteSource, onProgress?: (offset: number) => void): Promise<void> {
    const path = join(this.folder, 'in');
    await this.qmp.execute('migrate-incoming', { uri: `unix:${path}` });
    const socket = connect({ path });
    let broken: Error | undefined;
    socket.on('error', (error) => {
      broken = error;
    });
    await Promise.race([once(socket, 'connect'), this.ended]);
    let offset = 0;
    for await (const piece of chunksOf(source)) {
      // A QEMU that refuses the state stops reading; it says why below.
      if (broken || this.#hasEnded) break;
      offset += piece.length;
      if (!socket.write(Uint8Array.from(piece)))
        await Promise.race([once(socket, 'drain').catch(() => {}), this.ended]);
      onProgress?.(offset);
      if (this.#signal?.aborted) throw new InterruptedError();
    }
    socket.end();
    await this.#migrated('load the state');
  }

  /** Guest-physical memory as its CPU would read it, in a file that is gone after `use`. */
  async withMemory<T>(gcPhys: number, size: number, use: (memory: ByteSource) => Promise<T>): Promise<T> {
    const path = join(this.folder, 'memory');
    await this.qmp.execute('pmemsave', { val: gcPhys, size, filename: path });
    const memory = await openFile(path);
    try {
      return await use(memory);
    } finally {
      await memory.close();
      unlinkSync(path);
    }
  }

  async quit(): Promise<void> {
    if (this.#hasEnded) return;
    await this.qmp.execute('quit').catch(() => {});
    await Promise.race([this.ended, sleep(END_MS, { keepsAlive: false })]);
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.ended;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
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
          `Cannot have QEMU ${what}: ${this.#words() || 'it does not say why'}`,
        );
      }
      await sleep(POLL_MS);
    }
  }

  /** Undefined where QEMU has ended. */
  async #migrationStatus(): Promise<string | undefined> {
    try {
      return (await this.qmp.ask('query-migrate', statusShape)).status;
    } catch (error) {
      await Promise.race([this.ended, sleep(END_MS, { keepsAlive: false })]);
      if (this.#hasEnded) return undefined;
      throw error;
    }
  }
}

/** Keeps the last of what QEMU says. */
function listenTo(child: ChildProcess, onWords: QemuStart['onWords']): () => string {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    said = (said + piece).slice(-WORDS_LIMIT);
    onWords?.(piece);
  });
  return () =>
    said
      .trim()
      .replaceAll(/^\S*qemu-system\S*: /gm, '')
      .replaceAll(/\s*\n\s*/g, ' | ');
}

function refuses(program: string, words: string): UnsupportedError {
  return new UnsupportedError(
    'qemu-refuses',
    `Cannot start ${program}: ${words || 'it ends at once and says nothing'}`,
  );
}
