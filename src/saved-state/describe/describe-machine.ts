import { EXTENDED_FEATURES } from '../../../formats/units/cpu/cpuid.ts';
import type { CpuidPart, CpuidRegisters } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { flagsOfBits } from '../host/cpu-flags.ts';
import { machineOf } from '../machine-facts/machine-facts.ts';
import type { SavedState } from '../reading/state.ts';

/** The machine that a state was saved from, as far as its units tell. */
export interface SavedMachine {
  /** Chipset. Absent if the state does not tell, like all absent fields here. */
  chipset?: string;
  /** The CPU that the guest sees. */
  cpu?: { vendor: string; model?: string; features: string[] };
  /** Time for which the machine had run, in seconds. */
  ranSeconds?: number;
  /** Disks and drives. */
  media: { device: string; place: string; what: string }[];
  /** Network cards. */
  network: { device: string; model?: string; mac?: string }[];
  /** The graphics adapter, with its video memory in bytes. */
  graphics?: { adapter: string; vramSize?: number; monitors?: number };
  /** Paravirtualisation interface of the guest. */
  paravirtualisation?: string;
  /** Connections of guest additions to services of the host; 0 if there are none. */
  guestAdditions?: { connections: number };
  /** Pending interrupts and exceptions, and CPUs that wait for one. */
  pending: string[];
}

const NETWORK_CARDS = ['e1000', 'pcnet', 'virtio-net'];

export function describeMachine(state: SavedState): SavedMachine {
  const { told, configs, cpum } = state;
  const { chipset, vga, vramSize, paravirtualisation } = machineOf(state, '');
  const cards = (state.devices ?? []).filter(({ name }) => NETWORK_CARDS.includes(name));
  const ran = told.get('tm/1')?.ranNs;
  const connections = told.get('HGCM/0')?.connections;
  const monitors = configs.get('vga/0')?.monitors;
  const cpu = cpum?.cpuid && describeCpuid(cpum.cpuid);
  return {
    chipset,
    cpu,
    ranSeconds: ran === undefined ? undefined : Number(ran / MILLISECOND) / 1000,
    media: [...told].flatMap(([device, { media = [] }]) => media.map((medium) => ({ device, ...medium }))),
    network: cards.map(({ name, instance }) => {
      const { model, mac } = told.get(`${name}/${instance}`) ?? {};
      return { device: `${name}/${instance}`, model, mac };
    }),
    ...(vga
      ? {
          graphics: {
            adapter: vga,
            vramSize,
            monitors: typeof monitors === 'number' ? monitors : undefined,
          },
        }
      : {}),
    paravirtualisation,
    ...(connections === undefined ? {} : { guestAdditions: { connections } }),
    pending: [...told.values()].flatMap(({ pending = [] }) => pending),
  };
}

const MILLISECOND = 1_000_000n;
const FEATURES = 1;
const BRAND = [0x80000002, 0x80000003, 0x80000004];

function describeCpuid({ guest }: CpuidPart): SavedMachine['cpu'] {
  const leaf = (number: number) => guest.find((own) => own.leaf === number && own.subLeaf === 0);
  const first = leaf(0);
  if (!first) return undefined;
  const basic = leaf(FEATURES);
  const extended = leaf(EXTENDED_FEATURES);
  const brand = BRAND.map((number) => textOf(leaf(number), ['eax', 'ebx', 'ecx', 'edx']))
    .join('')
    .trim();
  const features = flagsOfBits({
    basicEcx: basic?.ecx ?? 0,
    basicEdx: basic?.edx ?? 0,
    extendedEcx: extended?.ecx ?? 0,
    extendedEdx: extended?.edx ?? 0,
  });
  return { vendor: textOf(first, ['ebx', 'edx', 'ecx']), ...(brand === '' ? {} : { model: brand }), features };
}

/** Text in registers, four letters in each, up to the first NUL. */
function textOf(registers: CpuidRegisters | undefined, order: readonly (keyof CpuidRegisters)[]): string {
  if (!registers) return '';
  const words = Buffer.alloc(4 * order.length);
  for (const [i, name] of order.entries()) words.writeUInt32LE(registers[name], 4 * i);
  return words.toString('latin1').split('\0')[0];
}
