import { buildV2, type UnitSpec } from '../../formats/testing/container-builder.ts';
import { naiveUnits } from './naive-units.ts';

const TERM_SIZE = 16;
const FINAL = 0xffffffff;

/**
 * The units of a good V2.0 state with their records as they are, to be changed and put together again by `joinUnits`.
 */
export function splitUnits(file: Buffer): UnitSpec[] {
  return naiveUnits(file).map(({ name, instance, version, pass, start, end }) => {
    const records = file.subarray(start + 44 + name.length + 1, end - TERM_SIZE);
    return { name, instance, version, pass: pass === FINAL ? ('final' as const) : pass, records: Buffer.from(records) };
  });
}

/** A state of these units, written by the same VirtualBox as `like`; every CRC is right. */
export function joinUnits(units: readonly UnitSpec[], like: Buffer): Buffer {
  const release: [number, number, number, number] = [
    like.readUInt16LE(32),
    like.readUInt16LE(34),
    like.readUInt32LE(36),
    like.readUInt32LE(40),
  ];
  return buildV2(units, { release, live: (like.readUInt32LE(52) & 2) !== 0 });
}
