import { UsageError } from '../../formats/errors.ts';
import { Turns } from '../../formats/turns.ts';
import { NO_FAULT } from '../paging/page-fault.ts';
import { checkConsistency } from '../paging/shadow/checks/consistency-check.ts';
import { checkPool } from '../paging/shadow/checks/pool-check.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

// The debugger's commands on shadow tables and on injected failures (console.md 2), with its messages.

/** `pgmsync`: syncs the shadow of CR3 at the next access. */
export function pgmSync(session: ConsoleSession): Answer {
  session.shadowCpu().cr3.requestSync();
  return linesOf(['Forcing page directory sync.']);
}

/** `pgmsyncalways`: syncs the shadow of CR3 before every access of the selected CPU, until the command is repeated. */
export function pgmSyncAlways(session: ConsoleSession): Answer {
  const { cr3 } = session.shadowCpu();
  cr3.flags.always = !cr3.flags.always;
  if (!cr3.flags.always) return linesOf(['Disabled permanent forced page directory syncing.']);
  cr3.requestSync();
  return linesOf(['Enabled permanent forced page directory syncing.']);
}

/**
 * `pgmassertcr3`: compares the shadow tables with the guest's. VirtualBox shows violations only as failed assertions.
 */
export function pgmAssertCr3(session: ConsoleSession): Answer {
  const breaches = checkConsistency(session.shadowCpu());
  const lines = breaches.map(({ message }) => message);
  const rows = breaches.map(({ condition, linear, message }) => ({
    condition,
    virtual: `0x${linear.toString(16)}`,
    message,
  }));
  return linesOf(['Checking shadow CR3 page tables for consistency.', ...lines], rows);
}

/**
 * `pgmpoolcheck`: checks all tables of the pool, hooked or only kept; prints a line for each table with faults, then
 * the faults.
 */
export function pgmPoolCheck(session: ConsoleSession): Answer {
  const { paging } = session.shadowCpu();
  const breaches = session.machine.shadow ? checkPool(session.machine.shadow) : [];
  const lines = breaches.flatMap(({ table, message }, i) => {
    const isFirst = breaches.findIndex((other) => other.table === table) === i;
    return isFirst ? [`Check pool page ${digits16(paging.pool.key[table])}`, message] : [message];
  });
  const rows = breaches.map(({ condition, table, slot, message }) => ({ condition, table, slot, message }));
  return linesOf(lines.length === 0 ? ['The pool is in order.'] : lines, rows);
}

/**
 * `pgmerror [handy]` makes the host seem to have no pages left for this machine; `pgmerroroff [handy]` ends the
 * injection.
 */
export function pgmError(session: ConsoleSession, isOn: boolean, where: string | undefined): Answer {
  const { handy } = session.machine.memory.pages.backing;
  if (where === undefined)
    return linesOf(
      ['PGM error inject locations:', `  handy - ${handy.injectFailure}`],
      [{ where: 'handy', isOn: handy.injectFailure }],
    );
  if (where !== 'handy') throw new UsageError('bad-place', `Invalid 'where' value: ${where}.`);
  handy.injectFailure = isOn;
  return linesOf(['done']);
}

const PAGE = 4096n;

/**
 * `prefetch ADDR [LEN]`: reads a stretch through the shadow tables, which fills them and sets accessed bits in the
 * guest's tables.
 */
export async function prefetch(session: ConsoleSession, address: bigint, length: number): Promise<Answer> {
  const cpu = session.shadowCpu();
  const turns = Turns.rare(session.signal);
  const byte = new Uint8Array(1);
  let faults = 0;
  const pages = Math.ceil((Number(address % PAGE) + length) / Number(PAGE));
  for (let page = 0; page < pages; page++) {
    if (turns.areDue) await turns.give();
    if (cpu.read(address - (address % PAGE) + BigInt(page) * PAGE, byte) !== NO_FAULT) faults++;
  }
  if (faults < pages) session.hasChanges = true;
  return linesOf([`${pages - faults} of ${pages} pages can be read`], [{ pages, faults }]);
}
