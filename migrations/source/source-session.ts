import { InterruptedError } from '../../formats/errors.ts';
import { xxh64 } from '../../formats/kernels/xxh64.ts';
import { PageSet } from '../machine/page-set.ts';
import type { ProofReport } from '../report/report.ts';
import { AfterRound } from '../wire/frames.ts';
import { MAX_ROUNDS, MODEST_FRAME } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { hashBytes } from '../wire/payload.ts';
import type { Departure } from './departure.ts';
import { MemoryProof } from './memory-proof.ts';
import { RoundCourse, timeLimit } from './round-course.ts';
import type { SourceLink } from './source-link.ts';

/** Number of times that differences at the end are sent again before the migration is given up. */
const MAX_SEALS = 4;

/** Rounds, proof and hand-over on one link. */
export class SourceSession {
  readonly #departure: Departure;
  readonly #link: SourceLink;
  readonly #rounds: RoundCourse;
  #proofMode: ProofReport['mode'] = 'full';
  #proof: MemoryProof | undefined;
  #restHash = 0n;

  constructor(departure: Departure, link: SourceLink) {
    this.#departure = departure;
    this.#link = link;
    this.#rounds = new RoundCourse(departure, link);
  }

  /** Proof of this session; undefined until the rounds are over. */
  get proof(): MemoryProof | undefined {
    return this.#proof;
  }

  /** Resolves when the target runs the machine. */
  async run(): Promise<void> {
    await this.#copyDisks();
    const proof = await this.#sendWhileRunning();
    await this.#readyToPause();
    await this.#departure.custody.pause();
    await this.#sendAtRest(proof);
    await this.#resendUntilEqual(proof);
    await this.#handOver();
  }

  /** Copies the disks, before memory: they take longer, and stay equal from then on. */
  async #copyDisks(): Promise<void> {
    const { facts, limits, account } = this.#departure;
    await facts.machine.copyDisks?.({
      carry: (disk, stream) => this.#link.carryDisk(disk, stream),
      onProgress: (bytes, of) => account.tell({ event: 'disks', bytes, of }),
      maxRate: () => limits.now.bandwidth,
      failure: () => this.#link.diskFailure ?? this.#link.control.failure,
    });
  }

  /**
   * Rounds until the policy stops them; then, if memory is too large to be hashed at rest, an audit and a last round.
   * The machine may stand still from then on: a QEMU that hands out memory stops the guest by itself when all pages are
   * out and the guest writes nothing.
   */
  async #sendWhileRunning(): Promise<MemoryProof> {
    const { facts, transfer, account, costs } = this.#departure;
    for (let isOver = false; !isOver; ) {
      const decision = await this.#rounds.send(AfterRound.ANOTHER, 'another-round');
      if (decision.verdict === 'cancel') throw timeLimit(decision.because);
      if (decision.verdict === 'throttle') this.#rounds.throttle(decision.guestShare ?? 1);
      isOver = decision.verdict === 'switch-over';
      if (isOver) this.#proofMode = costs.chooseProof(decision.downtimeMs);
      else if (this.#rounds.count >= MAX_ROUNDS)
        throw new MigrationError('too-many-rounds', `Cannot go on: ${MAX_ROUNDS} rounds have brought no end`);
    }
    const proof = new MemoryProof(facts.machine, facts.space, transfer.sent, this.#proofMode);
    this.#proof = proof;
    account.proves(proof.report);
    // The record is written while the guest runs, so pages that it writes meanwhile are sent in a round.
    await this.#departure.custody.writeWhetherPaused();
    if (this.#proofMode === 'audited') await this.#audit(proof);
    // Pages that these rounds miss are found when all memory is compared at rest; an earlier comparison would save
    // little.
    if (this.#proofMode === 'compared') await this.#rounds.send(AfterRound.AUDIT, 'switch-over');
    return proof;
  }

  /**
   * Prepares the pause. Pages that the guest writes meanwhile are sent in another round, so the guest need not stand
   * still for them.
   */
  async #readyToPause(): Promise<void> {
    const { facts, transfer } = this.#departure;
    if (!(await facts.machine.readyToPause?.())) return;
    await facts.machine.takeDirty(transfer.pending);
    await this.#rounds.send(AfterRound.ANOTHER, 'switch-over');
  }

  async #audit(proof: MemoryProof): Promise<void> {
    const { pending } = this.#departure.transfer;
    let lost: PageSet | undefined;
    await this.#rounds.send(AfterRound.AUDIT, 'another-round', async () => {
      lost = await proof.audit(pending);
    });
    if (lost) this.#addLost(lost);
    await this.#rounds.send(AfterRound.ANOTHER, 'switch-over');
  }

  /**
   * To be called when the machine stands still: sends the dirty pages, pages with unnoticed writes, and the rest of the
   * machine, without waiting in between.
   */
  async #sendAtRest(proof: MemoryProof): Promise<void> {
    const { facts, transfer, account } = this.#departure;
    const { downtime } = account;
    downtime.note('stop');
    const isFull = this.#proofMode === 'full';
    const isSideBySide = isFull && facts.machine.comparesMemory === true;
    // The target hashes its memory while this side compares its own; later pages it hashes as they arrive.
    if (isSideBySide) await this.#rounds.send(AfterRound.AUDIT, 'seal', () => proof.takeLastDirty(transfer.pending));
    else await proof.takeLastDirty(transfer.pending);
    downtime.note(facts.machine.comparesMemory ? 'hash' : 'stop');
    let lost: PageSet | undefined;
    await this.#rounds.send(isFull && !isSideBySide ? AfterRound.PROOF : AfterRound.SEAL, 'seal', async () => {
      downtime.note('pages');
      if (isFull) lost = await proof.compareAll();
      downtime.note('hash');
      if (lost === undefined || lost.size === 0) await this.#sendRest(proof);
    });
    if (!lost || !this.#addLost(lost)) return;
    await this.#resend();
    await this.#sendRest(proof);
  }

  async #sendRest(proof: MemoryProof): Promise<void> {
    const { channel } = this.#link.control;
    // The hash tree is built while the hypervisor saves the devices.
    const saved = this.#departure.facts.machine.saveRest();
    const sealed = proof.seal();
    const rest = await saved;
    this.#restHash = xxh64(rest);
    for (let at = 0; at < rest.length; at += MODEST_FRAME)
      await channel.send('rest', {}, rest.subarray(at, at + MODEST_FRAME));
    await channel.send('rest', {});
    await this.#sendSeal(sealed);
    this.#departure.account.downtime.note('rest');
  }

  async #sendSeal({ root, nodes }: ReturnType<MemoryProof['seal']>): Promise<void> {
    const head = {
      root,
      rest: this.#restHash,
      paused: this.#departure.facts.machine.isPaused ? 1 : 0,
      count: nodes.length / 2,
    };
    await this.#link.control.channel.send('seal', head, hashBytes(nodes, 0, head.count));
  }

  async #resend(): Promise<void> {
    await this.#rounds.send(AfterRound.PROOF, 'resend');
    this.#departure.account.downtime.note('pages');
  }

  /**
   * Has the target compare, and sends differing pages again, until none differs. @throws SavkitError when that does not
   * help
   */
  async #resendUntilEqual(proof: MemoryProof): Promise<void> {
    for (let seals = 1; ; seals++) {
      const differing = await this.#takeAnswer(proof);
      this.#departure.account.downtime.note('ready');
      if (!differing) break;
      this.#addLost(differing);
      if (seals === MAX_SEALS || differing.size === 0)
        throw new MigrationError(
          'memory-differs',
          `Cannot hand over: after ${seals} attempts the target's memory still differs, first at ` +
            `${proof.report.lost[0]}`,
        );
      await this.#resend();
      await this.#sendSeal(proof.seal());
    }
    this.#departure.account.tell({ event: 'proved', proof: proof.report });
  }

  /** @returns the differing pages; undefined when none differs, and the target is ready */
  async #takeAnswer(proof: MemoryProof): Promise<PageSet | undefined> {
    const { inbox } = this.#link.control;
    const differing = new PageSet(this.#departure.facts.space.pageCount);
    let frame = await inbox.expect('ready', 'differ');
    for (let next = 0; frame.name === 'differ'; ) {
      next = proof.takeDifference(frame, next, differing);
      if (next === 0) return differing;
      frame = await inbox.expect('differ');
    }
    return undefined;
  }

  /** Hands the machine over: the decision is written down first, and then told. */
  async #handOver(): Promise<void> {
    const { facts, custody } = this.#departure;
    if (facts.options.signal?.aborted) throw new InterruptedError();
    await custody.handOver();
    await this.#link.control.channel.send('commit', {});
    await this.#link.control.inbox.expect('running');
    await custody.finish();
  }

  /** Adds lost pages to those that are sent. @returns whether there were any */
  #addLost(lost: PageSet): boolean {
    const count = lost.size;
    if (count === 0) return false;
    const { facts, transfer, account } = this.#departure;
    transfer.pending.union(lost);
    account.tell({ event: 'lost-pages', count, first: facts.space.nameOf(lost.next(0)) });
    return true;
  }
}
