import type { DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import type { MachineFacts } from '../machine-facts/machine-facts.ts';
import type { Finding } from '../reading/findings.ts';
import type { SavedState } from '../reading/state.ts';
import type { Difference } from './difference.ts';

/** A state, the machine that it was saved from, and the one that is to load it; collects their differences. */
export class Comparison {
  readonly differences: Difference[] = [];
  /** Facts that one side does not tell, or savkit does not know. */
  readonly notJudged: string[] = [];
  readonly state: SavedState;
  readonly saved: MachineFacts;
  readonly target: MachineFacts;
  /** Indices of units in the file, by name: a state may have a hundred thousand. */
  readonly #places = new Map<string, number[]>();

  constructor(state: SavedState, saved: MachineFacts, target: MachineFacts) {
    this.state = state;
    this.saved = saved;
    this.target = target;
    for (const [at, { name }] of state.units.entries()) {
      const places = this.#places.get(name);
      if (places) places.push(at);
      else this.#places.set(name, [at]);
    }
  }

  hasDevice(name: string, instance = 0): boolean {
    return this.target.devices?.some((own) => own.name === name && own.instance === instance) ?? false;
  }

  /** Whether both values are known and differ; an unknown one is noted in `notJudged`. */
  differs<T>(what: string, saved: T | undefined, target: T | undefined): boolean {
    if (saved === undefined || target === undefined)
      this.notJudged.push(`${what}: ${saved === undefined ? 'the state' : this.target.name} does not tell`);
    return saved !== undefined && target !== undefined && saved !== target;
  }

  mismatch(unit: string, code: DifferenceCode, message: string, instance?: number): void {
    this.add(unit, code, 'VERR_SSM_LOAD_CONFIG_MISMATCH', message, instance);
  }

  /**
   * Adds a difference, unless the state lacks the unit: then the loader compares nothing. @param instance absent: the
   * first one
   */
  add(name: string, code: DifferenceCode, vboxCode: string, message: string, instance?: number): void {
    const at = this.#indexOf(name, instance);
    if (at < 0) return;
    const unit = this.state.units[at];
    const place: Finding['place'] = { unit: name, instance: unit.instance, version: unit.version, pass: unit.pass };
    this.differences.push({ at, finding: { severity: 'error', code, vboxCode, message, place } });
  }

  /**
   * Index of the unit at which the loader compares: the first pass for pgm and the list of devices, the final one for
   * devices and CPUs.
   */
  #indexOf(name: string, instance: number | undefined): number {
    const isFirst = name === 'pgm' || name === 'pdm';
    const { units } = this.state;
    const isMeant = (at: number) =>
      (instance === undefined || units[at].instance === instance) && (isFirst || units[at].pass === 'final');
    return this.#places.get(name)?.find(isMeant) ?? -1;
  }
}
