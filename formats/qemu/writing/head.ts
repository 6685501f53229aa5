import {
  CAPABILITIES_PART,
  PAGE_BITS_PART,
  PART_VERSION,
  type QemuCommand,
  type QemuConfiguration,
  UUID_PART,
} from '../configuration.ts';
import { PartType, STREAM_MAGIC, STREAM_VERSION } from '../constants.ts';
import type { BigEndianOutput } from './big-endian-output.ts';

/** Writes "QEVM" and the version. */
export function writeStreamHeader(out: BigEndianOutput): void {
  out.u32(STREAM_MAGIC);
  out.u32(STREAM_VERSION);
}

/** Writes nothing for machine types before 2.4, which have no configuration. */
export async function writeConfiguration(out: BigEndianOutput, configuration: QemuConfiguration): Promise<void> {
  const { machine, capabilities, pageBits, uuid } = configuration;
  if (machine === undefined) return;
  out.u8(PartType.CONFIGURATION);
  out.u32(machine.length);
  out.text(machine);
  if (pageBits !== undefined) {
    beginPart(out, PAGE_BITS_PART);
    out.u32(pageBits);
  }
  if (capabilities.length > 0) {
    beginPart(out, CAPABILITIES_PART);
    out.u32(capabilities.length);
    for (const capability of capabilities) out.name(capability);
  }
  if (uuid === undefined) return;
  beginPart(out, UUID_PART);
  await out.bytes(Buffer.from(uuid, 'hex'));
}

function beginPart(out: BigEndianOutput, name: string): void {
  out.u8(PartType.SUBSECTION);
  out.name(name);
  out.u32(PART_VERSION);
}

export async function writeCommand(out: BigEndianOutput, { number, bytes }: QemuCommand): Promise<void> {
  const content = Buffer.from(bytes, 'hex');
  out.u8(PartType.COMMAND);
  out.u16(number);
  out.u16(content.length);
  await out.bytes(content);
}
