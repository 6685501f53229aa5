import { UsageError } from '../../formats/errors.ts';

/** The error for a CPU beyond the last one of a machine that has `count`. */
export function noSuchCpu(cpu: number, count: number): UsageError {
  return new UsageError('no-such-cpu', `Cannot find CPU ${cpu}: the machine has ${count}`);
}

/** The error for virtual memory whose registers are missing. @param why reason why the state lacks them */
export function cannotTranslate(why: string | undefined): UsageError {
  return new UsageError('no-registers', `Cannot translate addresses: ${why}`);
}
