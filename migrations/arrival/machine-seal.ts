import { Writer } from '../../formats/binary/writer.ts';
import { xxh64 } from '../../formats/kernels/xxh64.ts';
import { differingNodes, nodesOf, pagesOfNode, rootOf } from '../proof/hash-tree.ts';
import type { FrameChannel } from '../wire/frame-channel.ts';
import { AfterRound } from '../wire/frames.ts';
import { MAX_REST } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { type Frame, hashBytes, readHashes, readHead } from '../wire/payload.ts';
import type { Arrival } from './arrival.ts';
import type { IncomingRounds } from './incoming-rounds.ts';
import type { TargetCustody } from './target-custody.ts';

/**
 * The end of an arrival, after the pages: the rest of the machine, and the seal, with hashes that prove that all has
 * arrived unchanged.
 */
export class MachineSeal {
  readonly #custody: TargetCustody;
  readonly #arrival: Arrival;
  readonly #rounds: IncomingRounds;
  readonly #channel: FrameChannel;
  /** One buffer: pieces may be of one byte each, and a list of them would take a hundred times their bytes. */
  readonly #rest = new Writer();
  #restDone = false;

  /** @param channel the control stream, over which the answers go */
  constructor(custody: TargetCustody, arrival: Arrival, rounds: IncomingRounds, channel: FrameChannel) {
    this.#custody = custody;
    this.#arrival = arrival;
    this.#rounds = rounds;
    this.#channel = channel;
  }

  /** Takes a piece of the rest; an empty piece ends it. */
  takeRest(frame: Frame): void {
    this.#expectRest(false, 'the rest');
    this.#arrival.enter('rest');
    const { tail } = readHead(frame, 'rest');
    if (this.#rest.length + tail.length > MAX_REST)
      throw new MigrationError('too-much', `Cannot take the rest: it has more than ${MAX_REST} bytes`);
    if (tail.length === 0) this.#restDone = true;
    else this.#rest.bytes(tail);
  }

  #expectRest(done: boolean, what: string): void {
    if (this.#rounds.after < AfterRound.PROOF || this.#restDone !== done)
      throw new MigrationError('unexpected', `Cannot take ${what}: it is not its turn`);
  }

  /** Compares hashes. If they are equal, loads the rest and promises the source to run the machine once it says so. */
  async takeSeal(frame: Frame): Promise<void> {
    this.#expectRest(true, 'the seal');
    this.#arrival.enter('seal');
    const { head, tail } = readHead(frame, 'seal');
    const theirs = readHashes(tail, head.count);
    const { hashes, machine } = this.#arrival;
    if (!hashes || !machine) return;
    const own = nodesOf(hashes);
    const differing = differingNodes(own, theirs);
    if (differing.length > 0) return this.#sayDifferences(differing);
    const rest = this.#rest.view();
    if (rootOf(own) !== head.root || xxh64(rest) !== head.rest)
      throw new MigrationError('bad-seal', 'Cannot take the seal: it does not fit the hashes of memory');
    this.#arrival.isPaused = head.paused !== 0;
    this.#arrival.log.standsStill(this.#arrival.isPaused);
    // The record is written meanwhile. It does not decide yet which side has the machine: the source decides, after the
    // frame ready.
    const written = this.#arrival.decide('ready');
    try {
      await machine.loadRest(rest);
    } finally {
      await written;
    }
    if (this.#arrival.failure) throw this.#arrival.failure;
    this.#arrival.enter('proved');
    this.#custody.tell({ event: 'ready', root: head.root.toString(16).padStart(16, '0') });
    await this.#channel.send('ready', {});
  }

  async #sayDifferences(nodes: number[]): Promise<void> {
    const { hashes } = this.#arrival;
    if (!hashes) return;
    for (const node of nodes) {
      const { first, count } = pagesOfNode(node, hashes);
      await this.#channel.send('differ', { first, count }, hashBytes(hashes.words, first, count));
    }
    await this.#channel.send('differ', { first: 0, count: 0 });
  }
}
