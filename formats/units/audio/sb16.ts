import { bytes, u8, u32 } from '../../binary/kinds.ts';
import { defineStruct, startOf } from '../../binary/struct.ts';
import { hex } from '../../errors.ts';
import { codecOf } from '../codec/codec.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { fields, nested, s32, x8 } from '../codec/kinds.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';

/** Resources that a card uses. */
interface Resources {
  interrupt: number;
  dma: number;
  highDma: number;
  port: number;
  dspVersion: number;
}

/** VirtualBox's defaults for a card. */
const USUAL: Resources = { interrupt: 5, dma: 1, highDma: 5, port: 0x220, dspVersion: 0x405 };

const resources = defineStruct('Resources of a card, sb16 version 2', 'device-units.md', {
  ...fields(s32, ['interrupt', 'dma', 'highDma', 'port', 'dspVersion']),
});

const sb16 = defineStruct('Unit sb16, version 2', 'device-units.md', {
  configured: { kind: nested(resources), doc: 'compared with the machine' },
  current: { kind: nested(resources), doc: 'resources that the guest has chosen' },
  ...fields(s32, ['inIndex', 'outLength']),
  ...fields(s32, ['isStereo', 'isSigned', 'bits'], 'of the samples'),
  format: { kind: u32, doc: 'not used any more' },
  ...fields(s32, ['autoDma', 'blockSize', 'fifo', 'frequency', 'timeConstant', 'speaker', 'neededBytes', 'command']),
  ...fields(s32, ['usesHighDma', 'highSpeed', 'canWrite', 'version2x6']),
  ...fields(x8, ['cspParameter', 'cspValue', 'cspMode', 'cspParameterAgain']),
  cspRegisters: { kind: bytes(256), doc: '' },
  cspIndex: { kind: u8, doc: '' },
  cspRegister83: { kind: bytes(4), doc: '' },
  ...fields(s32, ['cspRead', 'cspWritten']),
  input: { kind: bytes(10), doc: 'bytes of an unfinished command' },
  output: { kind: bytes(50), doc: 'answers not yet read' },
  ...fields(x8, ['testRegister', 'lastRead']),
  ...fields(s32, ['zeroes', 'dmaLeft', 'dmaRunning', 'bytesPerSecond', 'alignment', 'mixerRegister']),
  mixer: { kind: bytes(256), doc: 'registers' },
});

export function sb16Config({ interrupt, dma, highDma, port, dspVersion } = USUAL): DeviceConfig {
  return { interrupt, DMA: `${dma}, ${highDma}`, 'I/O port': hex(port), 'DSP version': dspVersion };
}

const compared = startOf(sb16, 'configured');

/** Sound Blaster 16. */
export const sb16Row = comparedRow(
  'sb16',
  versions(2),
  (cursor) => sb16Config(compared.read(cursor).configured),
  codecOf(sb16),
);
