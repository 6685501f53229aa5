import { type Kind, text, u32 } from '../../binary/kinds.ts';
import { END_OF_LIST } from '../../binary/markers.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fill, nested, untilMark } from '../codec/kinds.ts';
import { collected, telling, type UnitRow, versions } from '../codec/unit-row.ts';

const PDM_LIMIT = 1024 * 1024;

/** A device by VirtualBox's name, such as `e1000`. */
export interface PdmDevice {
  /** VirtualBox's name, such as `pcnet`. */
  name: string;
  /** Number among devices of one name. */
  instance: number;
}

const MAX_NAME = 32;
const MAX_DEVICES = 1024;

/**
 * The list of devices: entries `u32 number, u32 length and name, u32 instance`, then −1, at the end of the unit. The
 * part before the list (16 bytes a CPU in 7.2) changed between releases, so the list is recognised by its end, which is
 * the unit's. Checked against the states of 7.2.22.
 * @returns undefined where there is none
 */
export function readPdmDevices(payload: Uint8Array): PdmDevice[] | undefined {
  return findList(payload)?.devices;
}

/**
 * The payload for pass 0 of a live save, taken from that of the final pass: the list alone. Undefined where there is
 * none.
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
    if (number === END_OF_LIST) return devices.length > 0 && at + 4 === payload.length ? devices : undefined;
    if (number !== devices.length || at + 8 > payload.length) return undefined;
    const length = view.getUint32(at + 4, true);
    if (length === 0 || length > MAX_NAME || at + 12 + length > payload.length) return undefined;
    const name = Buffer.from(payload.subarray(at + 8, at + 8 + length)).toString('latin1');
    devices.push({ name, instance: view.getUint32(at + 8 + length, true) });
    at += 12 + length;
  }
  return undefined;
}

/** Interrupts that a CPU has not taken yet, by source. */
const pending = defineStruct('Pending interrupts of a CPU, pdm versions 3–5', 'units-compared.md', {
  apic: { kind: u32, doc: '1: the local APIC has an interrupt for the CPU' },
  pic: { kind: u32, doc: '1: the 8259 has one' },
  nmi: { kind: u32, doc: '1: an NMI waits', since: 4 },
  smi: { kind: u32, doc: '1: an SMI waits', since: 4 },
});

const device = defineStruct('Device of the machine, pdm versions 3–5', 'units-compared.md', {
  number: { kind: u32, doc: 'ascending from 0' },
  name: { kind: text(MAX_NAME + 1), doc: '' },
  instance: { kind: u32, doc: '' },
});

const DMA_SIZE = 4;

/** Repeats `kind` up to the list of devices; the unit holds no count. */
function beforeList<T>(kind: Kind<T>): Kind<T[]> {
  return {
    ...fill(kind),
    read: (cursor) => {
      const { at = 0 } = findList(cursor.bytes.subarray(cursor.at, cursor.end)) ?? {};
      return fill(kind, cursor.end - cursor.at - at + DMA_SIZE).read(cursor);
    },
  };
}

const pdm = defineStruct('Unit pdm, versions 3–5', 'units-compared.md', {
  cpus: { kind: (_: unknown, version: number) => beforeList(nested(pending, version)), doc: 'one entry for each CPU' },
  dma: { kind: u32, doc: '1: a DMA transfer waits' },
  devices: { kind: untilMark(nested(device)), doc: 'devices in the order in which they were made' },
});

export type Pdm = StructValue<typeof pdm>;
export const pdmCodec = codecOf(pdm);

function readPdm(payload: Uint8Array): { devices?: PdmDevice[] } {
  const devices = readPdmDevices(payload);
  return devices ? { devices } : {};
}

const SOURCES = { apic: 'the local APIC', pic: 'the 8259', nmi: 'an NMI', smi: 'an SMI' } as const;

const pendingOf = telling(pdmCodec, ({ cpus }) => ({
  pending: cpus.flatMap((cpu, i) =>
    Object.entries(SOURCES).flatMap(([source, text]) =>
      cpu[source as keyof typeof SOURCES] === 1 ? [`CPU ${i}: an interrupt waits, of ${text}`] : [],
    ),
  ),
}));

const row: UnitRow = {
  unit: 'pdm',
  instance: 1,
  everyPass: true,
  facts: collected(PDM_LIMIT, readPdm),
  livePass: pdmLivePass,
};

/** The list of devices that the machine had. Source: PDM.cpp, pdmR3LiveExec. */
export const pdmRows: readonly UnitRow[] = [
  {
    ...row,
    versions: versions(3, 5),
    facts: collected(PDM_LIMIT, (payload, unit) => ({
      ...readPdm(payload),
      ...(unit.pass === 'final' ? pendingOf(payload, unit) : {}),
    })),
    codec: pdmCodec,
  },
  row,
];
