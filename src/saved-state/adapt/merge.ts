import { UnsupportedError, unlessBad } from '../../../formats/errors.ts';
import type { UnitCodec } from '../../../formats/units/codec/codec.ts';
import { codecFor } from '../../../formats/units/table.ts';
import type { CollectedState, CollectedUnit } from '../reading/collect-units.ts';
import type { Change, ChangeClass } from './change.ts';

/** Origin of a unit of the result. */
export type Origin = 'own' | 'donor' | 'dropped';

interface Working {
  codec: UnitCodec;
  value: unknown;
  version: number;
}

/**
 * The units of a state while they are made to fit a machine. Rules look at both states and request changes; nothing is
 * written before all rules have run.
 */
export class Merge {
  readonly own: CollectedState;
  readonly donor: CollectedState;
  readonly changes: Change[] = [];
  /** Devices (`name/instance`) that differ in the machine, though they have the same name. */
  readonly replaced = new Set<string>();
  readonly #origins = new Map<string, Origin>();
  readonly #working = new Map<string, Working>();
  readonly #versions = new Map<string, number>();

  constructor(own: CollectedState, donor: CollectedState) {
    this.own = own;
    this.donor = donor;
  }

  note(kind: ChangeClass, unit: string | undefined, message: string): void {
    this.changes.push({ class: kind, unit, message });
  }

  originOf(unit: string): Origin {
    return this.#origins.get(unit) ?? (this.own.units.has(unit) ? 'own' : 'dropped');
  }

  drop(unit: string): void {
    this.#origins.set(unit, 'dropped');
  }

  takeDonors(unit: string): void {
    this.#origins.set(unit, this.donor.units.has(unit) ? 'donor' : 'dropped');
  }

  /** Has a decoded unit of the state written in another version. */
  rewrite(unit: string, version: number): void {
    this.#versions.set(unit, version);
  }

  /** The version that a unit of the state is written in. */
  versionOf(unit: string, version: number): number {
    return this.#versions.get(unit) ?? version;
  }

  /**
   * The decoded unit of the state, to be changed in place: the changed value is written. Undefined if the state lacks
   * the unit, the unit was dropped, or its payload cannot be decoded.
   */
  value<T>(unit: string, codec: UnitCodec<T>): T | undefined {
    if (this.originOf(unit) !== 'own') return undefined;
    const known = this.#working.get(unit);
    if (known) return known.codec === (codec as UnitCodec) ? (known.value as T) : undefined;
    const found = this.own.units.get(unit);
    const value = found && decoded(found, codec);
    if (found && value !== undefined)
      this.#working.set(unit, { codec: codec as UnitCodec, value, version: found.header.version });
    return value;
  }

  /** The decoded unit of the donor. */
  donorValue<T>(unit: string, codec: UnitCodec<T>): T | undefined {
    const found = this.donor.units.get(unit);
    return found && decoded(found, codec);
  }

  /** Payloads of the state's units that have changed. */
  changedPayloads(): Map<string, Uint8Array> {
    const changed = new Map<string, Uint8Array>();
    for (const [unit, { codec, value, version }] of this.#working) {
      if (this.originOf(unit) !== 'own') continue;
      const written = this.versionOf(unit, version);
      const payload = codec.encode(value, written).slice();
      const before = this.own.units.get(unit)?.payload;
      if (!before || written !== version || Buffer.compare(before, payload) !== 0) changed.set(unit, payload);
    }
    return changed;
  }
}

/**
 * A unit's value by a codec; undefined if its version has another layout or an unknown one, or if the payload does not
 * fit.
 */
export function decoded<T>({ header, payload }: CollectedUnit, codec: UnitCodec<T>): T | undefined {
  if (codecFor(header) !== (codec as UnitCodec)) return undefined;
  return unlessBad(() => codec.decode(payload, header.version));
}

/** The error for a difference that no adaptation resolves; the message names the setting to change back. */
export function refused(message: string): UnsupportedError {
  return new UnsupportedError('not-adaptable', `Cannot adapt: ${message}`);
}
