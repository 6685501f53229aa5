import type { HandlerKind } from '../pgm/access/handler-list.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

const KIND_NAMES: Readonly<Record<HandlerKind, string>> = { mmio: 'MMIO   ', write: 'Write  ', all: 'All    ' };
const VIRTUAL_HEAD = 'From     - To (excl) HandlerHC HandlerGC Type     Description';

/**
 * `info handlers [all|phys|virt|hyper]`: who watches accesses. Virtual handlers are raw mode's; a loaded state has
 * none.
 */
export function infoHandlers({ machine }: ConsoleSession, words: readonly string[]): Answer {
  const argument = words.join(' ');
  const wants = (word: string) => argument === '' || argument.includes('all') || argument.includes(word);
  const lines: string[] = [];
  const handlers = wants('phys') ? machine.memory.handlers.list.all : [];
  if (wants('phys')) {
    lines.push('Physical handlers: max 0x280, 0 allocator error, 0 tree error');
    lines.push('From             - To (incl)         Handler (R3)      uUser             Type     Description');
    for (const { start, end, kind, description } of handlers) {
      lines.push(
        `${digits16(start)} - ${digits16(end - 1)}  ${digits16(0)}  ${digits16(0)}  ${KIND_NAMES[kind]}  ${description}  (r3-only)`,
      );
    }
  }
  if (argument !== '' && wants('virt')) lines.push('Virtual handlers:', VIRTUAL_HEAD);
  if (argument !== '' && wants('hyper')) lines.push('Hypervisor Virtual handlers:', VIRTUAL_HEAD);
  const rows = handlers.map(({ start, end, kind, description }) => ({
    start: `0x${start.toString(16)}`,
    last: `0x${(end - 1).toString(16)}`,
    kind,
    description,
  }));
  return linesOf(lines, rows);
}
