import { UnsupportedError } from '../../../formats/errors.ts';
import { codecFor } from '../../../formats/units/table.ts';
import type { CollectedState } from '../../saved-state/reading/collect-units.ts';

/** The decoded units of a state. */
export class MachineUnits {
  readonly collected: CollectedState;
  readonly #values = new Map<string, unknown>();

  constructor(collected: CollectedState) {
    this.collected = collected;
  }

  /** @param unit `name/instance` */
  has(unit: string): boolean {
    return this.collected.units.has(unit);
  }

  /** Instances of a unit, ascending. */
  instancesOf(name: string): number[] {
    const headers = [...this.collected.units.values()].map(({ header }) => header);
    return headers
      .filter((header) => header.name === name)
      .map(({ instance }) => instance)
      .sort((a, b) => a - b);
  }

  /**
   * The decoded unit; undefined where the state lacks it. The same value every time.
   * @throws UnsupportedError `not-wakeable`, FormatError `not-as-laid-out`
   */
  find<T>(unit: string): T | undefined {
    const found = this.collected.units.get(unit);
    if (!found) return undefined;
    if (!this.#values.has(unit)) {
      const { header, payload } = found;
      const codec = codecFor(header);
      if (!codec)
        throw new UnsupportedError(
          'not-wakeable',
          `Cannot wake: version ${header.version} of unit ${unit} is not known`,
        );
      this.#values.set(unit, codec.decode(payload, header.version));
    }
    return this.#values.get(unit) as T;
  }

  /** The value, if `find` has decoded it. */
  decoded(unit: string): unknown {
    return this.#values.get(unit);
  }

  /** @throws UnsupportedError also where the state lacks the unit */
  need<T>(unit: string): T {
    const found = this.find<T>(unit);
    if (found === undefined) throw new UnsupportedError('not-wakeable', `Cannot wake: the state has no unit ${unit}`);
    return found;
  }
}
