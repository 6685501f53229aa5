import type { Socket } from 'node:net';
import { SavkitError } from '../../../formats/errors.ts';
import { openFileSink, writeFileSink } from '../../../formats/files/sink.ts';
import { authenticate } from '../../teleporter/await-source.ts';
import { KEEP_ALIVE_MS, Peer } from '../../teleporter/peer.ts';
import { receiveState } from '../../teleporter/receive.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';
import { AGAIN_MS, PASSWORD, type TeleportGround } from './teleport-ground.ts';

/** File that the target writes. */
const PATH = '/machines/vm.sav';
/** Content of the file before. */
const OLD = 'another file';
const OTHER = '/machines/other.sav';

/** Outcome of a try: `handed-over`, `declined`, or the code of its error. */
export type TargetEnd = 'handed-over' | 'declined' | (string & {});

/** The target: a user who starts a program that waits for a source, again and again until a machine has arrived. */
export class TeleportTarget {
  process!: SimulatedProcess;
  readonly ends: TargetEnd[] = [];
  /** Nobody starts the program again. */
  isOver = false;
  /** The program waits for a source. */
  isWaiting = false;
  readonly #ground: TeleportGround;
  #abort: AbortController | undefined;

  constructor(ground: TeleportGround) {
    this.#ground = ground;
  }

  /** The file of a machine that has arrived; undefined where there is none, or the older file. */
  get file(): Buffer | undefined {
    const file = this.#ground.hosts.target.files.names.get(PATH)?.bytes;
    return file?.toString('latin1') === OLD ? undefined : file;
  }

  /** There is neither a machine nor the older file. */
  get isOldGone(): boolean {
    return this.#ground.scenario.replaces && !this.#ground.hosts.target.files.names.has(PATH);
  }

  /** A source is being served. */
  get isAtWork(): boolean {
    return !this.process.isGone && this.#abort !== undefined;
  }

  /** Interrupts the program, as its user does. */
  interrupt(): void {
    this.#abort?.abort();
  }

  /** Puts another file under the name to which the machine will be written. */
  writeOld(): Promise<void> {
    return this.#write(() => writeFileSink(PATH, {}, (sink) => sink.write(Buffer.from(OLD))));
  }

  /** Starts the program. */
  start(): void {
    const { hosts, timeline, faults } = this.#ground;
    const process = hosts.target.start();
    this.process = process;
    timeline.add(0, process, () => {
      void this.#receive()
        .catch((error: Error) => {
          if (!(error instanceof SavkitError)) faults.push(`an error inside the target: ${error.stack}`);
          return (error as SavkitError).code;
        })
        .then((end) => {
          this.ends.push(end);
          this.#abort = undefined;
          process.endWhenIdle();
          if (end !== 'handed-over' && end !== 'declined') this.#startSoon();
        });
    });
  }

  end(how: 'kill' | 'crash'): void {
    if (how === 'crash') this.#ground.hosts.target.crash();
    else this.process.end('killed');
    this.#abort = undefined;
    this.#startSoon();
  }

  /** Checks that no file is left after another write, which removes temporary files in its folder. */
  async lookForRests(): Promise<void> {
    const { files } = this.#ground.hosts.target;
    await this.#write(async () => {
      await openFileSink(PATH, { force: true }).then((sink) => sink.abort());
      await writeFileSink(OTHER, {}, (sink) => sink.write(Buffer.from('other')));
    });
    for (const path of files.names.keys())
      if (path !== PATH && path !== OTHER) this.#ground.faults.push(`${path} is left behind`);
  }

  /** Writes in a process of its own. */
  async #write(work: () => Promise<unknown>): Promise<void> {
    const { hosts, timeline, faults } = this.#ground;
    const process = hosts.target.start();
    let isWritten = false;
    timeline.add(0, process, () => void work().then(() => (isWritten = true)));
    await timeline.run(() => isWritten, 60_000);
    if (!isWritten) faults.push('nothing can be written at the target');
    process.end('killed');
  }

  #startSoon(): void {
    const { hosts, timeline, random } = this.#ground;
    timeline.add(random.below(AGAIN_MS), undefined, () => {
      if (this.isOver) return;
      if (!hosts.target.isUp) hosts.target.restart();
      if (this.process.isGone) this.start();
      else this.#startSoon();
    });
  }

  async #receive(): Promise<TargetEnd> {
    const { declines, replaces } = this.#ground.scenario;
    const abort = new AbortController();
    const sink = await openFileSink(PATH, { force: replaces });
    try {
      const peer = await this.#nextSource(abort.signal);
      this.#abort = abort;
      try {
        const ending = declines ? 'decline' : 'hand-over';
        return (await receiveState(peer, sink, { ending, signal: abort.signal })).end;
      } finally {
        await peer.close();
      }
    } catch (error) {
      await sink.abort();
      throw error;
    }
  }

  /** The first source that connects and gives the password. */
  async #nextSource(signal: AbortSignal): Promise<Peer> {
    const { process } = this;
    const link = this.#ground.links[this.#ground.links.length - 1];
    for (;;) {
      this.isWaiting = true;
      const stream = await new Promise<Socket>((resolve) => {
        link.listener = { process, accept: resolve };
      });
      this.isWaiting = false;
      const peer = new Peer(stream.setKeepAlive(true, KEEP_ALIVE_MS), 'source', signal);
      link.listener = undefined;
      if ((await authenticate(peer, PASSWORD)) === undefined) return peer;
      await peer.close();
    }
  }
}
