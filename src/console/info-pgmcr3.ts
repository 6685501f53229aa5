import { UsageError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { CR4_PGE, CR4_PSE } from '../paging/modes.ts';
import { G, largePageBase, P, PS, RW, US } from '../paging/schemes.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

const ENTRIES = 1024;

/**
 * `info pgmcr3`: the page at CR3 read as a 32-bit page directory, whatever the mode, as VirtualBox does: in long mode,
 * even indices show the low halves of entries.
 */
export function infoPgmCr3(session: ConsoleSession): Answer {
  const registers = session.machine.cpus[session.cpu].registers;
  const space = session.space();
  if (!registers || !space.walker)
    throw new UsageError('no-paging', 'Cannot list the top level table: the CPU has paging off');
  const root = space.walker.root - (space.walker.root % PAGE_SIZE);
  if (!space.memory.holdsTables(root))
    throw new UsageError('no-table', `Cannot list the top level table: there is no memory at 0x${root.toString(16)}`);
  const hasLarge = (registers.cr4 & CR4_PSE) !== 0n;
  const hasGlobal = (registers.cr4 & CR4_PGE) !== 0n;
  const lines: string[] = [];
  const rows: object[] = [];
  for (let index = 0; index < ENTRIES; index++) {
    const entry = space.memory.readU32(root + 4 * index);
    if ((entry & P) === 0) continue;
    const isLarge = hasLarge && (entry & PS) !== 0;
    const isGlobal = hasGlobal && (entry & G) !== 0;
    const address = isLarge ? largePageBase(entry, space.rules) : entry - (entry % PAGE_SIZE);
    const flags = `P=1 U=${bit(entry, US)} RW=${bit(entry, RW)}`;
    const number = index.toString(16).toUpperCase().padStart(4, '0');
    lines.push(
      `${number} - ${digits16(address)} ${flags} ` +
        `${isLarge ? `G=${isGlobal ? 1 : 0} - BIG` : `[G=${isGlobal ? 1 : 0}]`}`,
    );
    rows.push({
      index,
      address: `0x${address.toString(16)}`,
      isLarge,
      user: (entry & US) !== 0,
      writable: (entry & RW) !== 0,
      global: isGlobal,
    });
  }
  return linesOf(lines, rows);
}

function bit(entry: number, mask: number): number {
  return (entry & mask) !== 0 ? 1 : 0;
}
