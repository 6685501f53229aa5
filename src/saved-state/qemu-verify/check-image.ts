import { FormatError, hex, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { Qcow2Image, Qcow2Snapshot } from '../../../formats/qemu/containers/qcow2.ts';
import { ClusterCounts, visitClusters } from '../../../formats/qemu/containers/qcow2-clusters.ts';
import { Turns } from '../../../formats/turns.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import type { Findings } from '../reading/findings.ts';
import { NumberSet } from '../reading/number-set.ts';
import {
  faultsOfCounts,
  faultsOfHeader,
  faultsOfSnapshot,
  type ImageFault,
  MAX_COUNTS_TABLE,
} from './check-image-header.ts';

/** log2 of the bits of a reference count: QEMU supports up to 64 bits. */
const MAX_ORDER = 6;
const L1_ENTRY = 8;

/**
 * Checks that the tables of a disk image lead to the machine's state, in clusters of its own. QEMU does not check them,
 * and loads other bytes through a wrong entry.
 */
export async function checkImage(
  source: ByteSource,
  { container }: QemuState,
  findings: Findings,
  signal?: AbortSignal,
): Promise<void> {
  if (container.kind !== 'qcow2') return;
  const { image, snapshot } = container;
  if (image.isCorrupt)
    findings.add({
      severity: 'error',
      code: 'bad-qcow2',
      message: 'The image is marked as corrupt: QEMU has found damage in it before, and opens it for reading only',
      place: { offset: 72 },
    });
  for await (const fault of faultsOf(source, image, snapshot)) {
    const message = `Image: ${fault.what}${fault.qemuSays === undefined ? '; QEMU does not look at it' : ''}`;
    findings.add({ ...fault, severity: 'error', code: 'bad-qcow2', message, place: { offset: fault.offset } });
  }
  const check = new ImageCheck(source, image, snapshot, Turns.rare(signal));
  try {
    await check.run();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    findings.addError(error);
  }
  for (const [what, { count, place }] of check.faults) {
    const where = `of snapshot ${JSON.stringify(snapshot.name)}`;
    const which =
      count === 1 ? `A cluster ${where} at ${hex(place)}` : `${count} clusters ${where}, the first at ${hex(place)}`;
    const message = `${which}: ${what}; QEMU reads on without an error, qemu-img check may tell more`;
    findings.add({ severity: 'error', code: 'bad-qcow2', message, place: { offset: place } });
  }
}

async function* faultsOf(source: ByteSource, image: Qcow2Image, snapshot: Qcow2Snapshot): AsyncGenerator<ImageFault> {
  yield* faultsOfHeader(source, image);
  yield* faultsOfCounts(source, image);
  yield* faultsOfSnapshot(image.snapshots, snapshot);
}

const WITHIN = 'its entry leads into the middle of a cluster';
const BEYOND = 'its entry leads beyond the end of the image';
const USED = 'its entry leads to a cluster that is used for something else, too';
/** Faults after which a table is not read: an image has no more tables than clusters, so the check ends. */
const UNREAD: readonly string[] = [WITHIN, BEYOND, USED];

class ImageCheck {
  /**
   * Number and first place of each kind of fault: the offset of an entry in the image, or of a missing cluster in the
   * state.
   */
  readonly faults = new Map<string, { count: number; place: number }>();
  readonly #source: ByteSource;
  readonly #image: Qcow2Image;
  readonly #snapshot: Qcow2Snapshot;
  readonly #counts: ClusterCounts;
  readonly #turns: Turns;
  /** Numbers of clusters that entries have led to. */
  readonly #used = new NumberSet(
    () => new UnsupportedError('too-many', 'Cannot check image: its clusters lie too far apart'),
  );

  constructor(source: ByteSource, image: Qcow2Image, snapshot: Qcow2Snapshot, turns: Turns) {
    this.#source = source;
    this.#image = image;
    this.#snapshot = snapshot;
    this.#counts = new ClusterCounts(source, image);
    this.#turns = turns;
  }

  async run(): Promise<void> {
    const { counts, tableOffset } = this.#image;
    if (counts.order > MAX_ORDER)
      throw new FormatError('bad-qcow2', `Cannot check image: reference counts of 2^${counts.order} bits`, {
        offset: 96,
      });
    const { l1Offset, l1Entries } = this.#snapshot;
    for (const [from, size] of [
      [0, 1],
      [tableOffset, 1],
      [l1Offset, l1Entries * L1_ENTRY],
      [counts.offset, Math.min(counts.size, MAX_COUNTS_TABLE)],
    ])
      this.#take(from, size);
    await visitClusters(this.#source, this.#image, this.#snapshot, {
      cluster: (host, place) => this.#look(host, place),
      reserved: (place) => this.#note('its entry has bits that have no meaning', place),
      missing: (at) => this.#noteMissing(at),
    });
  }

  /** Notes a cluster that is missing, in turns with other work: a table may claim any number of them. */
  async #noteMissing(at: number): Promise<void> {
    this.#note('it is not in the image, and reads as zeros', at);
    if (this.#turns.areDue) await this.#turns.give();
  }

  /** @returns whether the cluster is one of this image that nothing else uses */
  async #look(host: number, place: number): Promise<boolean> {
    const fault = await this.#faultOf(host);
    if (fault !== undefined) this.#note(fault, place);
    if (this.#turns.areDue) await this.#turns.give();
    return fault === undefined || !UNREAD.includes(fault);
  }

  async #faultOf(host: number): Promise<string | undefined> {
    const size = 2 ** this.#image.clusterBits;
    const number = Math.floor(host / size);
    if (host % size !== 0) return WITHIN;
    if (this.#source.size !== undefined && host >= this.#source.size) return BEYOND;
    if (!this.#used.add(number)) return USED;
    const count = await this.#counts.of(number);
    if (count === 0) return 'its entry leads to a cluster that counts as free';
    // Each snapshot may use a cluster once, and so may the disk.
    if (count > this.#image.snapshots.length + 1)
      return `it counts as used ${count} times, more often than there are snapshots`;
    return undefined;
  }

  #take(from: number, size: number): void {
    const clusterSize = 2 ** this.#image.clusterBits;
    const end = Math.min(from + size, this.#source.size ?? 0);
    for (let at = from; at < end; at += clusterSize) this.#used.add(Math.floor(at / clusterSize));
  }

  #note(what: string, place: number): void {
    const fault = this.faults.get(what) ?? { count: 0, place };
    fault.count++;
    this.faults.set(what, fault);
  }
}
