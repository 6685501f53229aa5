import type { Cursor } from '../../binary/cursor.ts';
import { u8, u32 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fill, maybe, nested, oneOf, opaque, x32, x64 } from '../codec/kinds.ts';
import { start, type UnitRow, versions } from '../codec/unit-row.ts';

/** GIMPROVIDERID, by number. */
const GIM_PROVIDERS = ['none', 'minimal', 'hyperv', 'kvm'] as const;
/** Paravirtualisation interfaces, as VirtualBox names them. */
export type GimProvider = (typeof GIM_PROVIDERS)[number];

const kvmCpu = defineStruct('Clock of KVM for one CPU, GIM version 1', 'device-units.md', {
  systemTimeMsr: { kind: x64, doc: 'address of the clock, as the guest has set it; bit 0: the clock is in use' },
  tsc: { kind: x64, doc: 'time stamp counter when the clock was written' },
  virtualNs: { kind: x64, doc: 'virtual clock at the same time, in ns' },
  systemTime: { kind: x64, doc: 'guest-physical address of the clock' },
  systemTimeVersion: { kind: u32, doc: 'counts changes of the clock' },
  flags: { kind: u8, doc: '' },
});

/** Bytes after the CPUs. */
const KVM_TAIL = 12;

const kvm = defineStruct('Part of KVM, GIM version 1', 'device-units.md', {
  version: { kind: u32, doc: 'version of this part' },
  cpus: { kind: fill(nested(kvmCpu), KVM_TAIL), doc: 'one entry for each CPU' },
  wallClockMsr: { kind: x64, doc: 'address of the time of day, as the guest has set it' },
  features: { kind: x32, doc: 'features of KVM in CPUID' },
});

const KVM = 3;
/** Providers without a part of their own. */
const WITHOUT_PARTS = [0, 1];

const gim = defineStruct('Unit GIM, version 1', 'device-units.md', {
  provider: { kind: oneOf(u32, { ...GIM_PROVIDERS }), doc: 'paravirtualisation; compared with the machine' },
  version: { kind: u32, doc: 'version of the provider; compared with the machine' },
  kvm: { kind: ({ provider }: { provider: number }) => maybe(nested(kvm), provider === KVM), doc: '' },
  rest: {
    kind: ({ provider }: { provider: number }) =>
      maybe(opaque(), provider !== KVM && !WITHOUT_PARTS.includes(provider)),
    doc: 'data of other providers',
  },
});

export type Gim = StructValue<typeof gim>;
export const gimCodec = codecOf(gim);

/** The provider; absent for a number without a name. */
function readProvider(cursor: Cursor): { gimProvider?: GimProvider } {
  const provider = GIM_PROVIDERS[cursor.u32()];
  return provider ? { gimProvider: provider } : {};
}

/** The paravirtualisation that the guest sees. Source: GIM.cpp, gimR3Save. */
export const gimRow: UnitRow = {
  unit: 'GIM',
  instance: 0,
  versions: versions(1),
  facts: start(readProvider),
  codec: gimCodec,
};
