import { CPUM_UNIT, cpumLivePass } from './cpu/cpum.ts';
import { BUILD_INFO_UNIT } from './machine/build-info.ts';
import { PDM_UNIT, pdmLivePass } from './machine/pdm.ts';

/**
 * Bytes with which devices begin their final payload, and which alone are their payload in pass 0 of a live save: their configuration. By version of
 * the unit. Checked against live states of 7.2.22. Source: DevPit-i8254.cpp, DevRTC.cpp, VMMDev.cpp, DevVGA.cpp, the live-exec functions.
 */
const CONFIGURATIONS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  i8254: { 4: 4 },
  mc146818: { 4: 4 },
  VMMDev: { 20: 5 },
  vga: { 34: 8 },
};

/**
 * The payload of a unit in pass 0 of a live save, from that of the final pass: a piece of it, or a copy. Undefined for units that have none, and where it can't be told:
 * VirtualBox does without, as it does in the second live save of a process.
 */
export function livePassOf({ name, instance, version }: { name: string; instance: number; version: number }, payload: Uint8Array): Uint8Array | undefined {
  const is = (unit: { name: string; instance: number }) => unit.name === name && unit.instance === instance;
  if (is(BUILD_INFO_UNIT)) return payload;
  if (is(CPUM_UNIT)) return cpumLivePass(payload, version);
  if (is(PDM_UNIT)) return pdmLivePass(payload);
  const size = instance === 0 && Object.hasOwn(CONFIGURATIONS, name) ? CONFIGURATIONS[name][version] : undefined;
  return size === undefined || payload.length < size ? undefined : payload.subarray(0, size);
}
