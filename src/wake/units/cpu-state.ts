import { UnsupportedError } from '../../../formats/errors.ts';
import type { CpumUnit } from '../../../formats/units/cpu/cpum-codec.ts';
import type { GuestContext } from '../../../formats/units/cpu/cpum-layouts.ts';
import type { Em } from '../../../formats/units/cpu/em.ts';
import type { Tm } from '../../../formats/units/cpu/tm.ts';
import type { MachineUnits } from './machine-units.ts';

/** A virtual CPU, collected from several units. */
export interface CpuState {
  context: GuestContext;
  /** First 416 bytes of an FXSAVE image. */
  fxsave: Uint8Array;
  /** Upper halves of YMM0 to YMM15; absent where the guest has none. */
  ymm?: Uint8Array;
  /** Components of the extended state that hold something, where the version tells. */
  xStateInUse?: bigint;
  /** MSRs in the order of unit cpum; empty in versions that do not keep MSRs. */
  msrs: readonly bigint[];
  tsc: bigint;
  a20: boolean;
  run: keyof typeof RunNumber;
}

/** Unit em's numbers for the run state of a CPU. */
export const RunNumber = { runs: 1, halted: 6, 'waits-for-start': 7 } as const;

/** From this version on, all of unit cpum is known. */
const FIRST_WHOLE_CPUM = 17;

/** @throws UnsupportedError where the state has no registers */
export function cpuStates(units: MachineUnits): CpuState[] {
  const { state } = units.collected;
  const { cpum, pgm } = state;
  if (!cpum) throw new UnsupportedError('not-wakeable', 'Cannot wake: the state holds no registers');
  const tm = units.need<Tm>('tm/1');
  const em = units.need<Em>('em/0').cpus;
  return cpum.cpus.map(({ context, fxsave, xStateInUse, tscAux }, i) => {
    if (!context || !fxsave)
      throw new UnsupportedError('not-wakeable', `Cannot wake: registers of CPU ${i} are not known`);
    const whole = wholeCpu(units, i);
    const run = em[i]?.state;
    return {
      context,
      fxsave,
      ymm: whole?.ymm,
      xStateInUse,
      msrs: whole?.msrs ?? (tscAux === undefined ? [] : [tscAux]),
      tsc: tm.tsc[i] ?? 0n,
      a20: pgm?.basic?.cpus[i]?.a20Enabled ?? true,
      run: run === RunNumber.halted ? 'halted' : run === RunNumber['waits-for-start'] ? 'waits-for-start' : 'runs',
    };
  });
}

function wholeCpu(units: MachineUnits, i: number): { ymm?: Uint8Array; msrs: bigint[] } | undefined {
  const version = units.collected.units.get('cpum/1')?.header.version ?? 0;
  if (version < FIRST_WHOLE_CPUM) return undefined;
  const { ymm, msrs } = units.need<CpumUnit>('cpum/1').cpus[i] as { ymm?: { content: Uint8Array }; msrs: bigint[] };
  return { msrs, ymm: ymm?.content };
}
