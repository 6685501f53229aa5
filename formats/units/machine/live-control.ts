import type { Cursor } from '../../binary/cursor.ts';
import { u16 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { type Pass, UnsupportedError } from '../../errors.ts';
import { LIVE_CONTROL } from '../../ssm/layouts.ts';
import type { ContainerWriter } from '../../ssm/writing/container-writer.ts';
import { codecOf } from '../codec/codec.ts';
import { type UnitRow, whole } from '../codec/unit-row.ts';

/**
 * Unit "SSMLiveControl", instance 0, version 1: progress of a live save. Source: SSM.cpp, ssmR3LiveControlLoadExec.
 */
export const LIVE_CONTROL_UNIT = { name: LIVE_CONTROL, instance: 0 } as const;

const liveControl = defineStruct('Unit SSMLiveControl, version 1', 'ssm-container.md 3.8', {
  progress: { kind: u16, doc: 'percent of the whole save × 98' },
});

export function readLiveControl(cursor: Cursor, version: number): number {
  if (version !== 1)
    throw new UnsupportedError(
      'unsupported-version',
      `Cannot read unit SSMLiveControl: version ${version}, expected 1`,
      {},
      'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION',
    );
  return liveControl.read(cursor).progress;
}

export const liveControlRow: UnitRow = {
  unit: LIVE_CONTROL_UNIT.name,
  instance: LIVE_CONTROL_UNIT.instance,
  everyPass: true,
  codec: codecOf(liveControl),
  facts: whole((cursor, { version }) => {
    readLiveControl(cursor, version);
    return {};
  }),
};

/** Percent of a save's progress that VirtualBox leaves for the end of the save. */
const DONE_PERCENT = 2;

/** Writes the unit between two others. @param percent of the whole save; stored as a part of 9800 */
export function writeLiveControl(out: ContainerWriter, percent: number, pass: Pass): void {
  const value = Math.floor(percent * (100 - DONE_PERCENT));
  out.beginUnit({ ...LIVE_CONTROL_UNIT, version: 1, pass });
  out.put(Uint8Array.of(value & 0xff, value >>> 8));
  out.endUnit();
}
