import { collected, type UnitRow } from '../codec/unit-row.ts';

const PDM_LIMIT = 1024 * 1024;

/** A device by VirtualBox's name, such as `e1000`. */
export interface PdmDevice {
  /** VirtualBox's name, such as `pcnet`. */
  name: string;
  /** Number among devices of one name. */
  instance: number;
}

/** Ends the list. */
const END = 0xffffffff;
const MAX_NAME = 32;
const MAX_DEVICES = 1024;

/**
 * The list `u32 number, u32 length and name, u32 instance`, ended by −1, which is the last thing in the unit. What
 * stands before it (per CPU 16 bytes in
 * 7.2) changed between releases, so the list is recognised by filling the rest exactly. Checked against the states of
 * 7.2.22.
 * @returns undefined where there is none
 */
export function readPdmDevices(payload: Uint8Array): PdmDevice[] | undefined {
  return findList(payload)?.devices;
}

/**
 * The payload of pass 0 of a live save, which is the list alone, from that of the final pass; a piece of it. Undefined
 * where there is none.
 */
function pdmLivePass(payload: Uint8Array): Uint8Array | undefined {
  const list = findList(payload);
  return list && payload.subarray(list.at);
}

function findList(payload: Uint8Array): { at: number; devices: PdmDevice[] } | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  for (let at = 0; at + 4 <= payload.length; at += 4) {
    const devices = readList(payload, view, at);
    if (devices) return { at, devices };
  }
  return undefined;
}

function readList(payload: Uint8Array, view: DataView, start: number): PdmDevice[] | undefined {
  const devices: PdmDevice[] = [];
  let at = start;
  while (at + 4 <= payload.length && devices.length <= MAX_DEVICES) {
    const number = view.getUint32(at, true);
    if (number === END) return devices.length > 0 && at + 4 === payload.length ? devices : undefined;
    if (number !== devices.length || at + 8 > payload.length) return undefined;
    const length = view.getUint32(at + 4, true);
    if (length === 0 || length > MAX_NAME || at + 12 + length > payload.length) return undefined;
    const name = Buffer.from(payload.subarray(at + 8, at + 8 + length)).toString('latin1');
    devices.push({ name, instance: view.getUint32(at + 8 + length, true) });
    at += 12 + length;
  }
  return undefined;
}

function readPdm(payload: Uint8Array): { devices?: PdmDevice[] } {
  const devices = readPdmDevices(payload);
  return devices ? { devices } : {};
}

/** The list of devices that the machine had. Source: PDM.cpp, pdmR3LiveExec. */
export const pdmRow: UnitRow = {
  unit: 'pdm',
  instance: 1,
  everyPass: true,
  facts: collected(PDM_LIMIT, readPdm),
  livePass: pdmLivePass,
};
