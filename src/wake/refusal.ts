import type { MachineUnits } from './units/machine-units.ts';
import type { RefusalCode } from './wake-codes.ts';
import type { WakeOptions } from './wake-options.ts';

/** A reason why a state cannot be woken, with a remedy. */
export interface Refusal {
  /** Code for programs. */
  code: RefusalCode;
  reason: string;
  remedy: string;
  /** Unit of a device that could be dropped. */
  device?: string;
}

/** Finds reasons of one kind. */
export type Rule = (units: MachineUnits, options: WakeOptions) => Refusal[];

export const refusal = (code: RefusalCode, reason: string, remedy: string): Refusal => ({ code, reason, remedy });
/** Remedies that several reasons have. */
export const ANOTHER_GUEST = 'there is no way for this guest';
export const ANOTHER_MOMENT = 'load it in VirtualBox, let it run for a moment and save it again';
