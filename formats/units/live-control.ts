import type { Cursor } from '../binary/cursor.ts';
import { UnsupportedError } from '../errors.ts';

/** Unit "SSMLiveControl", instance 0, version 1: progress of a live save, in hundredths of a percent. Source: SSM.cpp, ssmR3LiveControlLoadExec. */
export const LIVE_CONTROL_UNIT = { name: 'SSMLiveControl', instance: 0 } as const;

export function readLiveControl(cursor: Cursor, version: number): number {
  if (version !== 1)
    throw new UnsupportedError('unsupported-version', `Cannot read unit SSMLiveControl: version ${version}`, {}, 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION');
  return cursor.u16();
}
