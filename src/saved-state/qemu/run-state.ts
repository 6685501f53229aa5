import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';

const SECTION = 'globalstate';

/** Run states of QEMU (`RunState` in QMP). */
export const RUN_STATES: readonly string[] = [
  'debug',
  'inmigrate',
  'internal-error',
  'io-error',
  'paused',
  'postmigrate',
  'prelaunch',
  'finish-migrate',
  'restore-vm',
  'running',
  'save-vm',
  'shutdown',
  'suspended',
  'watchdog',
  'guest-panicked',
  'colo',
];

/** Section `globalstate`: u32 size, then the run state as text. Source: qemu-stream.md 8. */
export function readRunState(devices: readonly DeviceSection[]): string | undefined {
  const device = devices.find(({ name }) => name === SECTION);
  if (!device || device.body.length < 4) return undefined;
  const text = Buffer.from(device.body.buffer, device.body.byteOffset + 4, device.body.length - 4).toString('latin1');
  return /^[\x20-\x7e]{1,99}/.exec(text)?.[0];
}

/**
 * Size of the text in `globalstate`, with its final zero: as told by the section, and the real one; undefined without
 * the section.
 */
export function runStateSizes(devices: readonly DeviceSection[]): { told: number; real: number } | undefined {
  const device = devices.find(({ name }) => name === SECTION);
  if (!device || device.body.length < 4) return undefined;
  const view = new DataView(device.body.buffer, device.body.byteOffset, device.body.byteLength);
  const text = device.body.subarray(4);
  const end = text.indexOf(0);
  return { told: view.getUint32(0), real: (end < 0 ? text.length : end) + 1 };
}
