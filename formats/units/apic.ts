/** Unit "apic", instance 0: the local APICs. Only what a core dump shows of them. */
export const APIC_UNIT = { name: 'apic', instance: 0, version: 5 } as const;
export const APIC_LIMIT = 4 * 1024 * 1024;

/** Whether the machine has an I/O APIC (fIoApicPresent); undefined where the payload is too short. Version 5. */
export function readHasIoApic(payload: Uint8Array): boolean | undefined {
  return payload.length < FIRST_CPU ? undefined : payload[IO_APIC] !== 0;
}

const IO_APIC = 4;
/** The number of CPUs, three bytes of common settings and two more fields stand before the first CPU's part. */
const FIRST_CPU = 9;

/**
 * The APIC base MSR of each CPU, with which its part of the payload starts; all parts are of one size. Version 5. Empty where the payload does
 * not have that shape. Checked against core dumps of 7.2.22 with one and two CPUs.
 */
export function readApicBases(payload: Uint8Array): bigint[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.length < FIRST_CPU + 8) return [];
  const count = view.getUint32(0, true);
  const stride = (payload.length - FIRST_CPU) / count;
  if (!Number.isInteger(stride) || stride < 8) return [];
  return Array.from({ length: count }, (_, i) => view.getBigUint64(FIRST_CPU + i * stride, true));
}
