import type { Socket } from 'node:net';
import type { Random } from '../../../formats/testing/random.ts';
import { sleep } from '../../../formats/world/waiting.ts';
import { CONNECT_MS } from '../../trust/connect-to-target.ts';
import { LinkError } from '../../wire/link-error.ts';
import { errorWithCode, networkError } from '../../wire/network-error.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { type Carrier, type HostName, SimulatedSocket } from './simulated-socket.ts';
import type { Timeline } from './timeline.ts';

/** Change of a frame on its way. */
export type Lie = 'flip' | 'drop' | 'repeat' | 'swap';

/** Delay of a link, its greatest further delay, and its bandwidth. */
export interface LinkQuality {
  latencyMs: number;
  jitterMs: number;
  bytesPerMs: number;
}

/** The network between the two hosts. */
export class Network implements Carrier {
  readonly timeline: Timeline;
  /** The target's listener for connections. */
  listener: { process: SimulatedProcess; accept(stream: Socket, peer: string): void } | undefined;
  /** Called for each frame, before it leaves. */
  onFrame: ((bytes: Buffer) => void) | undefined;
  /** Called for each piece of a frame that a process gets. */
  onTaken: Carrier['onTaken'];
  /** Change of the next frame, if the network lies. */
  lie: Lie | undefined;
  readonly #random: Random;
  readonly #link: LinkQuality;
  readonly #pairs = new Set<readonly [SimulatedSocket, SimulatedSocket]>();
  /** Time at which the wire has taken all bytes that each host has sent so far. */
  readonly #freeAt: Record<HostName, number> = { source: 0, target: 0 };
  #partedUntil = 0;
  #held: Buffer | undefined;

  constructor(timeline: Timeline, random: Random, link: LinkQuality) {
    this.timeline = timeline;
    this.#random = random;
    this.#link = link;
  }

  /** Connects like `connectToTarget`. @throws LinkError */
  async connect(from: SimulatedProcess, signal?: AbortSignal): Promise<Socket> {
    await from.do(() => sleep(Math.min(this.latency() * 2, CONNECT_MS), { signal }));
    const { listener } = this;
    const code = this.#isParted ? 'ETIMEDOUT' : !listener || listener.process.isGone ? 'ECONNREFUSED' : undefined;
    if (code !== undefined) {
      const { message } = networkError(errorWithCode(code, ''), 'connect to the target');
      throw new LinkError(code, message);
    }
    if (!listener) throw LinkError.lost();
    const pair = [new SimulatedSocket(from, this), new SimulatedSocket(listener.process, this)] as const;
    pair[0].other = pair[1];
    pair[1].other = pair[0];
    for (const end of pair) {
      end.on('error', () => {});
      end.once('close', () => this.#pairs.delete(pair));
    }
    this.#pairs.add(pair);
    this.timeline.add(this.latency(), listener.process, () => listener.accept(pair[1], 'source'));
    return pair[0];
  }

  carry(bytes: Buffer, from: SimulatedSocket): { frames: Buffer[]; ms: number } | undefined {
    this.onFrame?.(bytes);
    if (from.isDeaf) return undefined;
    // All bytes of one host go through one wire.
    const { now } = this.timeline;
    const { name } = from.owner.host;
    this.#freeAt[name] = Math.max(this.#freeAt[name], now) + bytes.length / this.#link.bytesPerMs;
    return { frames: this.#pieces(this.#withLie(bytes)), ms: this.#freeAt[name] - now + this.latency() };
  }

  latency(): number {
    const { latencyMs, jitterMs } = this.#link;
    const wait = this.#isParted ? this.#partedUntil - this.timeline.now : 0;
    return wait + latencyMs + this.#random.below(1000 * jitterMs + 1) / 1000;
  }

  /** Breaks all connections now. @param heardBy side that notices; the other side waits */
  cut(heardBy: 'both' | 'source' | 'target'): void {
    for (const [source, target] of [...this.#pairs]) {
      source.cutOff();
      target.cutOff();
      if (heardBy !== 'target') source.reset();
      if (heardBy !== 'source') target.reset();
    }
  }

  /** Lets nothing through for a while: bytes arrive later, and connections are not answered. */
  part(ms: number): void {
    this.#partedUntil = this.timeline.now + ms;
  }

  /** Time by which all bytes under way have arrived, however long nothing got through. */
  get clearAt(): number {
    const { latencyMs, jitterMs } = this.#link;
    return Math.max(this.#partedUntil, this.#freeAt.source, this.#freeAt.target) + latencyMs + jitterMs;
  }

  get #isParted(): boolean {
    return this.timeline.now < this.#partedUntil;
  }

  #withLie(bytes: Buffer): Buffer[] {
    const { lie } = this;
    const held = this.#held;
    this.#held = undefined;
    if (held) return [bytes, held];
    if (lie === undefined) return [bytes];
    this.lie = undefined;
    if (lie === 'drop') return [];
    if (lie === 'repeat') return [bytes, bytes];
    if (lie === 'swap') {
      this.#held = bytes;
      return [];
    }
    const changed = Buffer.from(bytes);
    changed[this.#random.below(changed.length)] ^= 1 << this.#random.below(8);
    return [changed];
  }

  /** Splits frames into pieces at random, as a network does. */
  #pieces(frames: Buffer[]): Buffer[] {
    const pieces: Buffer[] = [];
    for (const frame of frames) {
      const isWhole = frame.length < 2 || this.#random.below(4) > 0;
      const at = isWhole ? frame.length : 1 + this.#random.below(frame.length - 1);
      pieces.push(frame.subarray(0, at));
      if (!isWhole) pieces.push(frame.subarray(at));
    }
    return pieces;
  }
}
