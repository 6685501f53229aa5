import { Writer } from '../../../formats/binary/writer.ts';
import { MIB } from '../../../formats/sizes.ts';
import type { UnitHeader } from '../../../formats/ssm/container.ts';

/** Sees whole payloads, one after the other. */
export interface PayloadObserver {
  /** Whether the payload of a unit is wanted; never asked for unit pgm. */
  wants(unit: UnitHeader): boolean;
  /** @param payload owned; undefined for one of more than `OBSERVED_LIMIT` bytes */
  take(unit: UnitHeader, payload: Uint8Array | undefined): void;
}

/** Largest payload that a `PayloadObserver` gets. Units of devices are smaller. */
export const OBSERVED_LIMIT = 64 * MIB;

/** Copies a payload, up to `OBSERVED_LIMIT`. */
export class PayloadCopy {
  #copy = new Writer();
  #size = 0;

  readonly add = (piece: Uint8Array): void => {
    this.#size += piece.length;
    if (this.#size <= OBSERVED_LIMIT) this.#copy.bytes(piece);
    else this.#copy = new Writer();
  };

  whole(): Uint8Array | undefined {
    return this.#size <= OBSERVED_LIMIT ? this.#copy.view().slice() : undefined;
  }
}
