import { array, bool, bytes, u32 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { FormatError } from '../../errors.ts';
import { codecOf } from '../codec/codec.ts';
import { list, maybe, nested, x32, x64 } from '../codec/kinds.ts';
import { guestLeaf, rawLeaf } from './cpuid-leaves.ts';
import { CONTEXT_SIZE, fpuState, guestContext, xStateHeader } from './cpum-layouts.ts';

// Unit cpum of versions 17 to 24, of guests that do not run machines themselves.

interface WithMask {
  context: { xStateMask: bigint };
}

/** A component of the extended state, present if the guest's mask has its bit. */
function component(bit: number, size: number, name: string) {
  const content = { kind: bytes(size), doc: name };
  const layout = defineStruct(`${name}, cpum versions 17–24`, 'units-compared.md', { begin, content, end });
  const kind = ({ context }: WithMask) => maybe(nested(layout), (context.xStateMask & (1n << BigInt(bit))) !== 0n);
  return { kind, doc: name };
}

const cpu = (msrSize: number) =>
  defineStruct('One CPU, cpum versions 17–24', 'units-compared.md', {
    obsolete: { kind: bytes(CONTEXT_SIZE), doc: 'context that no release uses any more' },
    context: { kind: nested(guestContext), doc: 'registers' },
    fpu: { kind: nested(fpuState), doc: 'x87 and SSE' },
    extended: {
      kind: ({ context }: WithMask) => maybe(nested(xStateHeader), context.xStateMask !== 0n),
      doc: 'extended state',
    },
    ymm: component(2, 256, 'upper halves of YMM0 to YMM15'),
    bounds: component(3, 64, 'BNDREGS of MPX'),
    boundsConfig: component(4, 16, 'BNDCSR of MPX'),
    zmm: component(6, 512, 'upper halves of ZMM0 to ZMM15'),
    zmm16: component(7, 1024, 'ZMM16 to ZMM31'),
    paePointers: { kind: array(x64, 4), doc: 'page directory pointers of PAE', since: 21 },
    usedFlags: { kind: x32, doc: 'parts of the FPU that have been used' },
    changedFlags: { kind: x32, doc: 'registers that have changed' },
    msrs: { kind: list(x64, msrSize / 8), doc: 'TSC_AUX, MISC_ENABLE, MTRRs, and others' },
  });

interface Head {
  count: number;
  msrSize: number;
}

/** The CPUs, each with its MSRs. */
function cpus({ count, msrSize }: Head, version: number) {
  if (msrSize % 8 !== 0) throw new FormatError('bad-cpum', `Cannot read unit cpum: MSRs of ${msrSize} bytes`);
  return list(nested(cpu(msrSize), version), count);
}

const cpum = defineStruct('Unit cpum, versions 17–24', 'units-compared.md', {
  nestedSvm: { kind: bool, doc: 'the guest has AMD-V; compared with the machine', since: 24 },
  nestedVmx: { kind: bool, doc: 'the guest has VT-x; compared with the machine', since: 24 },
  count: { kind: u32, doc: 'virtual CPUs; compared with the machine' },
  msrSize: { kind: u32, doc: 'bytes of MSRs' },
  cpus: { kind: cpus, doc: 'one entry for each CPU' },
  leafSize: { kind: u32, doc: 'bytes of a leaf: 32' },
  leafCount: { kind: u32, doc: '' },
  leaves: {
    kind: ({ leafCount }: { leafCount: number }) => list(nested(guestLeaf), leafCount),
    doc: 'CPUID leaves of the guest',
  },
  unknownLeaf: { kind: nested(rawLeaf), doc: 'CPUID values of leaves that do not exist' },
  hostLeafCount: { kind: u32, doc: '' },
  hostLeaves: {
    kind: ({ hostLeafCount }: { hostLeafCount: number }) => list(nested(rawLeaf), hostLeafCount),
    doc: 'CPUID of the host that wrote the state, from 0 on',
  },
  hostExtendedCount: { kind: u32, doc: '' },
  hostExtended: {
    kind: ({ hostExtendedCount }: { hostExtendedCount: number }) => list(nested(rawLeaf), hostExtendedCount),
    doc: 'CPUID of the host, from 0x80000000 on',
  },
});

export type CpumUnit = StructValue<typeof cpum>;
export const cpumCodec = codecOf(cpum);
