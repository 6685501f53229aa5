import { UnsupportedError } from '../../formats/errors.ts';
import { isPgm } from '../../formats/pgm/pgm-reader.ts';
import { KIB } from '../../formats/sizes.ts';
import type { UnitHeader } from '../../formats/ssm/container.ts';
import { isOfLiveSave } from '../saved-state/reading/live-parts.ts';
import type { LoadedUnit } from './machine.ts';

/** Keeps the units in file order, and the payloads of all but pgm. */
export class UnitCollector {
  readonly #limit: number;
  readonly #headers: UnitHeader[] = [];
  readonly #ends: number[] = [];
  #bytes = new Uint8Array(64 * KIB);
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  readonly begin = (header: UnitHeader) => {
    if (isPgm(header) ? header.pass !== 'final' : isOfLiveSave(header)) return;
    this.#headers.push(header);
    this.#ends.push(this.#size);
  };

  wants(unit: UnitHeader): boolean {
    return !isPgm(unit) && !isOfLiveSave(unit);
  }

  take(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    // A limit that is no number refuses everything.
    if (!(size <= this.#limit))
      throw new UnsupportedError(
        'too-much-memory',
        `Cannot load state: its units have more than ${this.#limit} bytes besides memory`,
      );
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(2 * size);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#size);
    this.#size = size;
    this.#ends[this.#ends.length - 1] = size;
  }

  get units(): LoadedUnit[] {
    return this.#headers.map((header, i) =>
      isPgm(header) ? { header } : { header, payload: this.#bytes.slice(this.#ends[i - 1] ?? 0, this.#ends[i]) },
    );
  }
}
