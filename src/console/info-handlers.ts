import type { VirtualHandler, VirtualHandlerKind } from '../paging/shadow/virtual-handlers.ts';
import type { HandlerKind, ListedHandler } from '../pgm/access/handler-list.ts';
import type { Profile } from '../pgm/statistics/statistic.ts';
import { averageOf } from '../pgm/statistics/timing.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits8, digits16, NO_HOST_ADDRESS } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

const KIND_NAMES: Readonly<Record<HandlerKind, string>> = { mmio: 'MMIO   ', write: 'Write  ', all: 'All    ' };
const VIRTUAL_KIND_NAMES: Readonly<Record<VirtualHandlerKind, string>> = {
  write: 'Write  ',
  all: 'All    ',
  hypervisor: 'WriteHyp ',
};
const VIRTUAL_HEAD = 'From     - To (excl) HandlerHC HandlerGC Type     Description';

/**
 * `info handlers [all|phys|virt|hyper] [nost]`: access handlers (console.md 1.4). Virtual handlers exist in machines
 * with shadow tables. A line below a physical handler that was called tells the number of calls and their time; `nost`
 * omits it. Calls of virtual handlers are statistics, as in VirtualBox.
 */
export function infoHandlers({ machine }: ConsoleSession, words: readonly string[]): Answer {
  const argument = words.join(' ');
  const wants = (word: string) => argument === '' || argument.includes('all') || argument.includes(word);
  const hasStatistics = !argument.includes('nost');
  const { virtualHandlers } = machine.shadow ?? {};
  const lines: string[] = [];
  const rows: object[] = [];
  if (wants('phys')) {
    lines.push('Physical handlers: max 0x280, 0 allocator error, 0 tree error');
    lines.push('From             - To (incl)         Handler (R3)      uUser             Type     Description');
    for (const handler of machine.memory.handlers.list.all) {
      const { calls } = handler;
      lines.push(physicalLine(handler));
      if (hasStatistics && calls.periods > 0) lines.push(callsLine(calls));
      rows.push({ ...rowOf(handler, 'physical'), ...(hasStatistics ? { calls: { ...calls } } : {}) });
    }
  }
  const hasSome = virtualHandlers !== undefined || argument !== '';
  for (const [word, title, handlers] of [
    ['virt', 'Virtual handlers:', virtualHandlers?.all ?? []],
    ['hyper', 'Hypervisor Virtual handlers:', virtualHandlers?.hypervisor ?? []],
  ] as const) {
    if (!wants(word) || !hasSome) continue;
    lines.push(title, VIRTUAL_HEAD, ...handlers.map(virtualLine));
    rows.push(...handlers.map((handler) => rowOf(handler, word === 'virt' ? 'virtual' : 'hypervisor')));
  }
  return linesOf(lines, rows);
}

function physicalLine({ start, end, kind, description }: ListedHandler): string {
  const stretch = `${digits16(start)} - ${digits16(end - 1)}`;
  return `${stretch}  ${NO_HOST_ADDRESS}  ${NO_HOST_ADDRESS}  ${KIND_NAMES[kind]}  ${description}  (r3-only)`;
}

function callsLine(calls: Readonly<Profile>): string {
  const field = (value: number, width: number) => String(value).padStart(width);
  const { periods, ticks, min, max } = calls;
  const times = `Min: ${field(min, 11)}  Avg: ${field(averageOf(calls), 11)} Max: ${field(max, 11)}`;
  return `   cPeriods: ${field(periods, 9)}  cTicks: ${field(ticks, 11)}  ${times}`;
}

/** The last address is inclusive, whatever the heading says. */
function virtualLine({ start, end, kind, description, raw }: VirtualHandler): string {
  const stretch = `${digits16(start)} - ${digits16(end - 1n)}`;
  return `${stretch}  ${NO_HOST_ADDRESS}  ${digits8(raw?.callback ?? 0)}  ${VIRTUAL_KIND_NAMES[kind]}  ${description}`;
}

function rowOf({ start, end, kind, description }: ListedHandler | VirtualHandler, of: string): object {
  const last = typeof end === 'bigint' ? end - 1n : end - 1;
  return { of, start: `0x${start.toString(16)}`, last: `0x${last.toString(16)}`, kind, description };
}
