import type { Cursor } from '../../binary/cursor.ts';

/** Unit "GIM", instance 0: the paravirtualisation that the guest sees. Source: GIM.cpp, gimR3Save. */
export const GIM_UNIT = { name: 'GIM', instance: 0 } as const;

/** GIMPROVIDERID, by number. */
const GIM_PROVIDERS = ['none', 'minimal', 'hyperv', 'kvm'] as const;
export type GimProvider = (typeof GIM_PROVIDERS)[number];

/** The first field; undefined for a number that has no name. */
export function readGimProvider(cursor: Cursor): GimProvider | undefined {
  return GIM_PROVIDERS[cursor.u32()];
}
