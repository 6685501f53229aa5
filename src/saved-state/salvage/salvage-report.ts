import type { Pass } from '../../../formats/errors.ts';
import { type Finding, findingOf } from '../reading/findings.ts';
import type { VirtualBoxVerdict } from '../verify/verify.ts';
import type { FlippedBit } from './flipped-bits.ts';
import type { LostRun } from './losses.ts';
import type { LostStretch } from './lost-units.ts';
import type { SalvageOptions } from './salvage-options.ts';
import type { Survey } from './survey.ts';
import type { UnitOutcome } from './survivors.ts';

/** What salvaging has come to. */
export interface SalvageReport {
  /** Nothing is missing but what can be made anew: directory, footer, CRCs; and what was written is whole. */
  complete: boolean;
  /** Nothing was left out, or found in the result, that keeps VirtualBox from loading it. */
  loadable: boolean;
  /** Units that were written. */
  kept: UnitFate[];
  /** Units that were left out, and why. */
  dropped: UnitFate[];
  /** Stretches of the file in which units are lost, or may be. */
  lostUnits: LostStretch[];
  /** Units may be missing after the last one that was found. */
  cut: boolean;
  /** Pages that are missing or old. */
  lost: LostRun[];
  /** Pages that are missing or old. */
  lostPages: number;
  /** More is lost than the list says: what named the ranges of ROMs and device memory is lost, too. */
  untold: boolean;
  /** Bits that were flipped back: just they explain a wrong CRC. */
  repaired: FlippedBit[];
  /**
   * The bytes of kept memory do not have the stored CRC, and no damaged page accounts for that: any page may be wrong.
   */
  unproven: boolean;
  /** Findings in the damaged file. */
  findings: Finding[];
  /** What `verify` says of the result. */
  written: { verdict: VirtualBoxVerdict; vboxCode: string | null; findings: Finding[] };
}

/** A unit, and what became of it. */
export interface UnitFate {
  /** Name of the unit. */
  name: string;
  /** Number among units of one name. */
  instance: number;
  /** The pass that wrote it. */
  pass: Pass;
  /** Version of the payload. */
  version: number;
  /** Where its header stands in the damaged file. */
  offset: number;
  /** Why it was left out; absent where it was kept. */
  why?: string;
}

/** Tells people what a survey has found. */
export function reportOf(
  survey: Survey,
  { fill, trust = false }: SalvageOptions,
): Omit<SalvageReport, 'repaired' | 'written'> {
  const { survivors, dropped, lost, untold, unproven, lostUnits } = survey;
  const fate = ({ unit: { name, instance, pass, version, offset } }: UnitOutcome, why?: string): UnitFate => ({
    name,
    instance,
    pass,
    version,
    offset,
    why,
  });
  const units = survivors.units;
  const pages = lost.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const hasUnits = dropped.size === 0 && !survivors.cut && survey.lostUnits.length === 0;
  const complete = hasUnits && pages === 0 && !untold && !unproven;
  const filled = fill !== undefined || pages === 0;
  return {
    complete,
    loadable: hasUnits && filled && !untold && (!unproven || trust),
    kept: units.filter(({ unit }) => !dropped.has(unit.offset)).map((outcome) => fate(outcome)),
    dropped: units
      .filter(({ unit }) => dropped.has(unit.offset))
      .map((outcome) => fate(outcome, dropped.get(outcome.unit.offset))),
    lostUnits,
    cut: survivors.cut,
    lost,
    lostPages: pages,
    untold,
    unproven,
    findings: [...survivors.errors, ...units.flatMap(({ errors }) => errors)].map(findingOf),
  };
}
