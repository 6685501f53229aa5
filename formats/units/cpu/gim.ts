import type { Cursor } from '../../binary/cursor.ts';
import { start, type UnitRow } from '../codec/unit-row.ts';

/** GIMPROVIDERID, by number. */
const GIM_PROVIDERS = ['none', 'minimal', 'hyperv', 'kvm'] as const;
/** Paravirtualisation interfaces, as VirtualBox names them. */
export type GimProvider = (typeof GIM_PROVIDERS)[number];

/** The first field; nothing for a number that has no name. */
function readProvider(cursor: Cursor): { gimProvider?: GimProvider } {
  const provider = GIM_PROVIDERS[cursor.u32()];
  return provider ? { gimProvider: provider } : {};
}

/** The paravirtualisation that the guest sees. Source: GIM.cpp, gimR3Save. */
export const gimRow: UnitRow = { unit: 'GIM', instance: 0, facts: start(readProvider) };
