import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { Machine } from '../machine/machine.ts';
import { CR4_PAE } from '../paging/modes.ts';
import { PAGE_MASK_64, schemeOf } from '../paging/schemes.ts';
import { type Answer, linesOf } from './answer.ts';
import type { ConsoleSession } from './session.ts';
import { type DumpedLevel, dumpTables } from './table-dump.ts';

/**
 * Page tables on which the selected CPU switches between host and guest (paging.md 5.1): the host's side, and the
 * guest's side if it differs. A table that several entries refer to is shown once. @param depth as in `guestTables`
 */
export function intermediateTables(session: ConsoleSession, depth: number): Answer {
  const { shadowMode } = session.shadowCpu();
  const { machine } = session;
  const { intermediate, host } = machine;
  const hostCr3 = intermediate.hostCr3(host.host);
  const guestCr3 = shadowMode === undefined ? 0 : intermediate.guestCr3(shadowMode);
  const tables = dumpSide(machine, hostCr3, depth);
  if (guestCr3 === hostCr3) return titled(`Both sides of a switch, ${host.host}:`, tables);
  const ofHost = titled(`Host's side of a switch, ${host.host}:`, tables);
  const ofGuest =
    guestCr3 === 0
      ? linesOf(["Guest's side of a switch: it needs no tables"], [])
      : titled("Guest's side of a switch:", dumpSide(machine, guestCr3, depth));
  return { text: `${ofHost.text}\n${ofGuest.text}`, rows: [ofHost, ofGuest].flatMap(({ rows = [] }) => rows) };
}

function titled(title: string, { text, rows }: Answer): Answer {
  return { text: text === '' ? title : `${title}\n${text}`, rows };
}

function dumpSide({ intermediate, mappings }: Machine, cr3: number, depth: number): Answer {
  const levels = levelsOf(cr3 === intermediate.cr3Of32Bit ? '32-bit' : cr3 === intermediate.cr3OfPae ? 'pae' : 'amd64');
  return dumpTables(
    {
      levels,
      root: cr3 / PAGE_SIZE,
      entry: (table, slot, wide) => intermediate.entry(table, slot, wide),
      child(table, slot, wide) {
        const frame = Number((intermediate.entry(table, slot, wide) & PAGE_MASK_64) >> 12n);
        return intermediate.frames.includes(frame) ? frame : undefined;
      },
      mappingAt: (address) => mappings.at(address),
      showsOnce: true,
    },
    depth,
    { cr3: BigInt(cr3), cr4: levels[0].wide ? CR4_PAE : 0n },
  );
}

function levelsOf(mode: '32-bit' | 'pae' | 'amd64'): DumpedLevel[] {
  const { levels = [], entrySize } = schemeOf(mode) ?? {};
  return levels.map(({ shift, indexBits, hasRights }) => ({
    shift,
    indexMask: 2 ** indexBits - 1,
    wide: entrySize === 8,
    bare: !hasRights,
  }));
}
