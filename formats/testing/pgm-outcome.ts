import { SavkitError } from '../errors.ts';
import type { PgmBytes } from './pgm-bytes.ts';
import { countPgm } from './pgm-reading.ts';
import { type StateOptions, stateV2 } from './pgm-states.ts';

/** Processor time, which a busy host does not change. */
const SOON_MS = 10_000;

/**
 * The number of page records in a payload, or the `SavkitError` that ends the reading. Anything else, and taking long,
 * is thrown.
 */
export async function outcomeOf(
  version: number,
  payload: PgmBytes,
  options?: StateOptions,
): Promise<number | SavkitError> {
  const state = stateV2([{ version, payload: payload.done() }], options);
  const start = process.cpuUsage();
  const outcome = await countPgm(state).catch((error) => error);
  const took = process.cpuUsage(start).user / 1000;
  if (took > SOON_MS) throw new Error(`the reading took ${took} ms`);
  if (typeof outcome !== 'number' && !(outcome instanceof SavkitError)) throw outcome;
  return outcome;
}
