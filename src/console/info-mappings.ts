import { MIB } from '../../formats/sizes.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

/** Bytes that one page table of a mapping covers. */
const TABLE_SPAN = BigInt(4 * MIB);

/**
 * `info mappings`: what the hypervisor had in the guest's address space. States of pgm 14 hold none, nor does 7.2 have
 * any.
 */
export function infoMappings({ machine }: ConsoleSession): Answer {
  const basic = machine.basic;
  const mappings = basic?.mappings ?? [];
  const lines = ['', mappingsState(basic)];
  for (const { address, pageTables, description } of mappings) {
    lines.push(`${digits16(address)} - ${digits16(address + pageTables * TABLE_SPAN - 1n)}  ${description}`);
  }
  const rows = mappings.map(({ address, pageTables, description }) => ({
    start: `0x${address.toString(16)}`,
    last: `0x${(address + pageTables * TABLE_SPAN - 1n).toString(16)}`,
    description,
  }));
  return linesOf(lines, rows);
}

/** Fixed ones float in a loaded state until the guest asks anew. */
function mappingsState(basic: NonNullable<ConsoleSession['machine']['basic']> | undefined): string {
  if (!basic || basic.mappings.length === 0) return 'The mappings are DISABLED.';
  if (!basic.mappingsFixed) return 'The mappings are FLOATING.';
  const start = BigInt(basic.mappingFixed);
  return `The mappings are FLOATING-RESTORED-FIXED: ${digits16(start)}-${digits16(start + BigInt(basic.mappingFixedSize) - 1n)}`;
}
