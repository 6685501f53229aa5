import { PartType } from './constants.ts';

/** The head of a section of one part. */
export interface SectionHead {
  id: number;
  name: string;
  instance: number;
  version: number;
  /** Offset of the body. */
  bodyAt: number;
}

const PRINTABLE = /^[\x20-\x7e]+$/;
/** Ids, instances and versions of sections are smaller numbers. */
const PLAUSIBLE = 0x10000;
/** Bytes of the mark after a body: its type and the section's id. */
export const MARK_BYTES = 5;

const latin1 = new TextDecoder('latin1');

/** Bytes of sections of one part: heads and marks in them, and bodies whose ends are known from these only. */
export class SectionBytes {
  /** Offset of the first byte that belongs to no section; the end of the bytes until it is set. */
  end: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.length;
  }

  /** @returns undefined where the bytes end within the head */
  head(at: number): SectionHead | undefined {
    if (at + 6 > this.end) return undefined;
    const nameAt = at + 6;
    const bodyAt = nameAt + this.#bytes[at + 5] + 8;
    if (bodyAt > this.end) return undefined;
    const name = latin1.decode(this.#bytes.subarray(nameAt, bodyAt - 8));
    const [instance, version] = [this.#view.getUint32(bodyAt - 8), this.#view.getUint32(bodyAt - 4)];
    return { id: this.#view.getUint32(at + 1), name, instance, version, bodyAt };
  }

  isMark(at: number, id: number): boolean {
    return this.#bytes[at] === PartType.FOOTER && this.idOfMark(at) === id;
  }

  idOfMark(at: number): number {
    return this.#view.getUint32(at + 1);
  }

  /** Offset of the first mark with the section's id after which the stream plausibly goes on. */
  markAfter({ id, bodyAt }: SectionHead): number | undefined {
    for (let at = bodyAt; at + MARK_BYTES <= this.end; at++) {
      if (!this.isMark(at, id)) continue;
      const nextAt = at + MARK_BYTES;
      if (nextAt === this.end) return at;
      const next = this.#bytes[nextAt];
      // On a volume, other bytes may follow the end of the stream.
      if (next === PartType.END_MARK) return at;
      if (next === PartType.FULL && PRINTABLE.test(this.head(nextAt)?.name ?? '')) return at;
    }
    return undefined;
  }

  /**
   * Offset of the first plausible head after a section without a mark, or else of the last byte, if it can be the end
   * mark. @param isOther whether no section before has this id
   */
  nextAfter({ bodyAt }: SectionHead, isOther: (id: number) => boolean): number | undefined {
    for (let at = bodyAt; at < this.end; at++)
      if (this.#bytes[at] === PartType.FULL && this.#isPlausible(at, isOther)) return at;
    const last = this.end - 1;
    return last >= bodyAt && this.#bytes[last] === PartType.END_MARK ? last : undefined;
  }

  #isPlausible(at: number, isOther: (id: number) => boolean): boolean {
    const next = this.head(at);
    if (!next || !isOther(next.id)) return false;
    return Math.max(next.id, next.instance, next.version) < PLAUSIBLE && PRINTABLE.test(next.name);
  }
}
