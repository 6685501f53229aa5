import type { Pass } from '../../../formats/errors.ts';
import type { Stretch } from '../../../formats/files/readable-parts.ts';
import { type Finding, findingOf } from '../reading/findings.ts';
import type { VirtualBoxVerdict } from '../verify/verify.ts';
import type { FlippedBit } from './flipped-bits.ts';
import type { LostRun } from './losses.ts';
import type { SalvageOptions } from './salvage-options.ts';
import type { Survey } from './survey.ts';
import type { UnitOutcome } from './visitor.ts';

/** Result of salvaging. */
export interface SalvageReport {
  /** Nothing is missing except parts that can be made anew (directory, footer, CRCs), and the result is whole. */
  complete: boolean;
  /**
   * Nothing known keeps VirtualBox from loading the result: no needed unit was left out, and `verify` finds no
   * obstacle.
   */
  loadable: boolean;
  /** Units that were written. */
  kept: UnitFate[];
  /** Units that were left out, and why. */
  dropped: UnitFate[];
  /** Stretches of the file in which units are lost, or may be. */
  lostUnits: Stretch[];
  /** Bytes of the file, `[start, end)`, that the disk fails to read. */
  unreadable: Stretch[];
  /** Units may be missing after the last one that was found. */
  cut: boolean;
  /** Runs of pages that are missing or old. */
  lost: LostRun[];
  /** Number of these pages. */
  lostPages: number;
  /** More is lost than the list says: the names of the ranges of ROMs and device memory are lost, too. */
  untold: boolean;
  /** Bits that were flipped back: the only ones that explain a wrong CRC. */
  repaired: FlippedBit[];
  /** Kept memory does not match its stored CRC, and no damaged page accounts for that: any page may be wrong. */
  unproven: boolean;
  /** Findings in the damaged file. */
  findings: Finding[];
  /** Result of `verify` on the written state. */
  written: { verdict: VirtualBoxVerdict; vboxCode: string | null; findings: Finding[] };
}

/** A unit, and its fate. */
export interface UnitFate {
  /** Name of the unit. */
  name: string;
  /** Instance of the unit. */
  instance: number;
  /** Pass that wrote the unit. */
  pass: Pass;
  /** Version of the payload. */
  version: number;
  /** Offset of its header in the damaged file. */
  offset: number;
  /** Reason why the unit was left out; absent if it was kept. */
  why?: string;
}

/** The report of a survey. */
export function reportOf(
  survey: Survey,
  { fill, trust = false }: SalvageOptions,
): Omit<SalvageReport, 'repaired' | 'unreadable' | 'written'> {
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
