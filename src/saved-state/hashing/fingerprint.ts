import { createHash } from 'node:crypto';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isMmio2, isRam, PageKind } from '../../../formats/pgm/page-batch.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import type { UnitHeader } from '../../../formats/ssm/container.ts';
import type { SavedState } from '../reading/state.ts';
import type { RangeNaming } from '../reading/state-view.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { type Hashed, HashingSink, type PagesByRange } from './hashing-sink.ts';
import type { SpanHashes } from './span-hashes.ts';

/** Reader of states: of one family, or of any. */
export type StateReader<S> = (source: ByteSource, options: WalkOptions) => Promise<S>;

/** Hashes of a state's contents, comparable among versions. */
export interface Fingerprint<S = SavedState> {
  state: S;
  /** RAM by page frame; ROM (virgin and shadow pages) and MMIO2 by range, each by page. */
  memory: Map<string, SpanHashes>;
  /**
   * SHA-256 of version and payload of each unit but pgm, by `name/instance` and pass, with a number for repeated units.
   */
  units: Map<string, string>;
}

export interface FingerprintOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** Units to leave out. */
  leavesOut?: (unit: UnitHeader) => boolean;
  naming: RangeNaming;
  of: Hashed;
  /** Hashes of similar memory, to save room; they must not refer to others themselves. */
  like?: Fingerprint['memory'];
  /** Pages to hash; all by default. */
  only?: PagesByRange;
}

export async function fingerprint<S>(
  read: StateReader<S>,
  source: ByteSource,
  options: FingerprintOptions,
): Promise<Fingerprint<S>> {
  const { signal } = options;
  const { state, memory } = await hashMemory(read, source, options);
  const units = new UnitHashes(options.leavesOut);
  await read(source, { signal, opaque: true, skipCrc: true, payload: units });
  return { state, memory, units: units.finish() };
}

/** Reads a whole state, checks everything, and hashes its memory. @param walk options for damage */
export async function hashMemory<S>(
  read: StateReader<S>,
  source: ByteSource,
  options: Omit<FingerprintOptions, 'leavesOut'>,
  walk: Pick<WalkOptions, 'onDamage' | 'patchWith' | 'skipCrc'> = {},
): Promise<Pick<Fingerprint<S>, 'state' | 'memory'>> {
  const sink = new HashingSink(options.naming, options.of, options.like, options.only);
  const { onProgress, signal } = options;
  try {
    const state = await read(source, {
      ...walk,
      signal,
      onProgress,
      deep: true,
      sink,
    });
    return { state, memory: sink.memory };
  } finally {
    sink.release();
  }
}

/** Names ranges by their ids, for states with equal ids: conversions among versions 10 to 14. */
export const sameIds: RangeNaming = (kind, id, page) => {
  if (isRam(kind)) return { range: 'RAM', page };
  if (isMmio2(kind)) return { range: `MMIO2 ${id}`, page };
  return { range: kind === PageKind.ROM_VIRGIN ? `ROM ${id}` : `ROM ${id} shadow`, page };
};

/** SHA-256 of the payloads of all units but pgm. */
class UnitHashes {
  readonly #hashes = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #key = '';
  #hash = createHash('sha256');
  readonly #leavesOut: FingerprintOptions['leavesOut'];

  constructor(leavesOut: FingerprintOptions['leavesOut']) {
    this.#leavesOut = leavesOut;
  }

  wants(unit: UnitHeader): boolean {
    if (isPgm(unit) || this.#leavesOut?.(unit)) return false;
    this.#close();
    const key = `${unit.name}/${unit.instance} ${unit.pass}`;
    const count = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count + 1);
    this.#key = count === 0 ? key : `${key} #${count + 1}`;
    this.#hash = createHash('sha256').update(`version ${unit.version}`);
    return true;
  }

  take(piece: Uint8Array): void {
    this.#hash.update(piece);
  }

  finish(): Map<string, string> {
    this.#close();
    return this.#hashes;
  }

  #close(): void {
    if (this.#key !== '') this.#hashes.set(this.#key, this.#hash.digest('hex'));
    this.#key = '';
  }
}
