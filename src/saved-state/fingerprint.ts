import { createHash } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import type { ByteSource } from '../../formats/binary/source.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import { isPgm } from '../../formats/pgm/pgm-reader.ts';
import type { UnitHeader } from '../../formats/ssm/container.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import { PAGE_SIZE } from '../../formats/units.ts';
import { PageHashes } from './page-hashes.ts';
import type { SavedState } from './state.ts';
import { type PageSink, type WalkOptions, walkState } from './walk.ts';

/** What a state holds, in a form in which states of different versions can be compared. */
export interface Fingerprint {
  state: SavedState;
  /** RAM by page frame; ROM (virgin and shadow pages) and MMIO2 by range, each by page. */
  memory: Map<string, PageHashes>;
  /** SHA-256 of version and payload of each unit but pgm, by `name/instance` and pass; a number tells repeated ones apart. */
  units: Map<string, string>;
}

/**
 * Gives a page record's range a name that holds in both states of a comparison, whatever their numbering; undefined for records that are left
 * out.
 */
export type RangeNaming = (kind: number, id: number, page: number) => { range: string; page: number } | undefined;

export interface FingerprintOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** Units to leave out. */
  leavesOut?: (unit: UnitHeader) => boolean;
  naming: RangeNaming;
  /** `content`: hashes of pages. `encoded`: hashes of pages as they are stored, which is faster and means as much where both are equal. */
  of: 'content' | 'encoded';
}

export async function fingerprint(source: ByteSource, options: FingerprintOptions): Promise<Fingerprint> {
  const { signal } = options;
  const { state, memory } = await hashMemory(source, options);
  const units = new UnitHashes(options.leavesOut);
  await walkState(source, { ...(signal ? { signal } : {}), opaque: true, skipCrc: true, payload: units });
  return { state, memory, units: units.finish() };
}

/** Reads a whole state, checks everything, and hashes its memory. @param walk how to deal with damage */
export async function hashMemory(
  source: ByteSource,
  options: Omit<FingerprintOptions, 'leavesOut'>,
  walk: Pick<WalkOptions, 'onDamage' | 'patchWith'> = {},
): Promise<Pick<Fingerprint, 'state' | 'memory'>> {
  const { h64Raw } = await xxhash();
  const memory = new Map<string, PageHashes>();
  const sink = new HashingSink(memory, h64Raw, options);
  const { onProgress, signal } = options;
  const state = await walkState(source, { ...walk, ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}), deep: true, sink });
  return { state, memory };
}

class HashingSink implements PageSink {
  readonly #memory: Map<string, PageHashes>;
  readonly #hash: (bytes: Uint8Array, seed?: bigint) => bigint;
  readonly #options: FingerprintOptions;
  readonly #page = new Uint8Array(PAGE_SIZE);

  constructor(memory: Map<string, PageHashes>, hash: (bytes: Uint8Array, seed?: bigint) => bigint, options: FingerprintOptions) {
    this.#memory = memory;
    this.#hash = hash;
    this.#options = options;
  }

  take(batch: PageBatch): void {
    if (this.#options.of === 'encoded') batch.walk();
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      if (kind === PageKind.ROM_PROTECTION) continue;
      const named = this.#options.naming(kind, batch.id[i], batch.page[i]);
      if (!named) continue;
      let hashes = this.#memory.get(named.range);
      if (!hashes) {
        hashes = new PageHashes();
        this.#memory.set(named.range, hashes);
      }
      hashes.set(named.page, this.#hashOf(batch, i));
    }
  }

  #hashOf(batch: PageBatch, i: number): bigint {
    const encoding = batch.encoding[i];
    if (encoding === Encoding.NONE || encoding === Encoding.ZERO) return 0n;
    if (this.#options.of === 'encoded') return this.#hash(batch.window.bytes.subarray(batch.at[i], batch.at[i] + batch.length[i]), BigInt(encoding));
    batch.decode(i, this.#page, 0);
    return isZero(this.#page) ? 0n : this.#hash(this.#page);
  }
}

const ZERO_PAGE = Buffer.alloc(PAGE_SIZE);

function isZero(page: Uint8Array): boolean {
  return page[0] === 0 && ZERO_PAGE.equals(page);
}

/** Names for states whose ids mean the same: conversions among versions 10 to 14. */
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
