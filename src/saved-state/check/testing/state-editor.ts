import type { UnitSpec } from '../../../../formats/testing/container-builder.ts';
import type { UnitCodec } from '../../../../formats/units/codec/codec.ts';
import { codecFor } from '../../../../formats/units/table.ts';
import { naiveUnits } from '../../../testing/naive-units.ts';
import { joinUnits, splitUnits } from '../../../testing/state-surgery.ts';

/** A good state, to be made another one unit by unit; every CRC is right in the end. */
export class StateEditor {
  readonly #like: Buffer;
  #units: UnitSpec[];

  constructor(state: Buffer) {
    this.#like = state;
    this.#units = splitUnits(state);
  }

  /** Names of its units, in their order. */
  get names(): string[] {
    return this.#units.map(({ name }) => name);
  }

  /** The whole payload of a unit. @throws where there is none */
  payload(name: string): Buffer {
    const found = naiveUnits(this.#like).find((unit) => unit.name === name);
    if (!found) throw new Error(`no unit ${name}`);
    return Buffer.from(found.payload);
  }

  /** Puts another payload in a unit's place, in another version where one is told. */
  put(name: string, payload: Uint8Array, version?: number): this {
    return this.#change(name, ({ name: own, instance, version: before }) => ({
      name: own,
      instance,
      version: version ?? before,
      payload,
    }));
  }

  /** Changes the fields of a unit; written in another version where one is told. */
  edit<T>(name: string, codec: UnitCodec<T>, change: (value: T) => void, version?: number): this {
    const before = this.#units.find((unit) => unit.name === name)?.version ?? 0;
    const value = codec.decode(this.payload(name), before);
    change(value);
    return this.put(name, codec.encode(value, version ?? before).slice(), version);
  }

  /** Changes the fields of a unit whose codec the table has, whatever their types. */
  set(name: string, change: (value: Record<string, never>) => void, version?: number): this {
    const before = this.#units.find((unit) => unit.name === name)?.version ?? 0;
    const codec = codecFor({ name, version: before }) as UnitCodec<Record<string, never>> | undefined;
    if (!codec) throw new Error(`unit ${name} ${before} has no codec`);
    return this.edit(name, codec, change, version);
  }

  /** Changes only the number of a unit's version. */
  version(name: string, version: number): this {
    return this.#change(name, (unit) => ({ ...unit, version }));
  }

  drop(...names: string[]): this {
    this.#units = this.#units.filter(({ name }) => !names.includes(name));
    return this;
  }

  /** A unit more, after another one. */
  add(after: string, spec: UnitSpec): this {
    const at = this.#units.findIndex(({ name }) => name === after);
    this.#units.splice(at + 1, 0, spec);
    return this;
  }

  /** Puts as many other bytes into the records of a unit as they are stored. */
  replace(name: string, from: string, to: string): this {
    return this.#change(name, (unit) => {
      const records = Buffer.from(unit.records as Buffer);
      records.write(to, records.indexOf(from), 'latin1');
      return { ...unit, records };
    });
  }

  done(): Buffer {
    return joinUnits(this.#units, this.#like);
  }

  #change(name: string, change: (unit: UnitSpec) => UnitSpec): this {
    this.#units = this.#units.map((unit) => (unit.name === name ? change(unit) : unit));
    return this;
  }
}
