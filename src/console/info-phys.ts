import { PageType } from '../pgm/pages/page-states.ts';
import type { RamRange } from '../pgm/pages/ram-range.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits16, NO_HOST_ADDRESS } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

/** `info phys [verbose]`: the ranges of guest-physical memory; with `verbose` also the types of their pages. */
export function infoPhys({ machine }: ConsoleSession, words: readonly string[]): Answer {
  const ranges = [...machine.memory.ranges];
  const isVerbose = words.includes('verbose');
  const lines = [`RAM ranges (pVM=${NO_HOST_ADDRESS})`, `${'GC Phys Range'.padEnd(33)} ${'pbR3'.padEnd(16)}`];
  for (const range of ranges) {
    lines.push(`${digits16(range.start)}-${digits16(range.end - 1)} ${NO_HOST_ADDRESS} ${range.description}`);
    if (isVerbose)
      for (const { first, end, type } of typeRuns(range))
        lines.push(`    ${digits16(range.addressOf(first))}-${digits16(range.addressOf(end) - 1)} ${type}`);
  }
  return linesOf(lines, ranges.map(describeRange));
}

/** `pgmram`: the same ranges, as the debugger's command lists them. */
export function pgmRam({ machine }: ConsoleSession): Answer {
  const ranges = [...machine.memory.ranges];
  if (ranges.length === 0) return linesOf(['Sorry, no Ram is registered.'], []);
  const lines = ranges.map(({ start, end }) => `${digits16(start)} - ${digits16(end - 1)}  ${NO_HOST_ADDRESS}`);
  return linesOf(['From     - To (incl) pvHC', ...lines], ranges.map(describeRange));
}

function describeRange({ start, end, kind, description }: RamRange): object {
  return { start: `0x${start.toString(16)}`, last: `0x${(end - 1).toString(16)}`, kind, description };
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [PageType.RAM]: 'RAM',
  [PageType.MMIO2]: 'MMIO2',
  [PageType.MMIO2_ALIAS_MMIO]: 'MMIO2-alias-MMIO',
  [PageType.ROM_SHADOW]: 'ROM-shadowed',
  [PageType.ROM]: 'ROM',
  [PageType.MMIO]: 'MMIO',
};

/** Neighbouring pages of one type. */
function* typeRuns({ type, pages }: RamRange): Generator<{ first: number; end: number; type: string }> {
  for (let first = 0, end = 0; first < pages; first = end) {
    for (end = first + 1; end < pages && type[end] === type[first]; ) end++;
    yield { first, end, type: TYPE_NAMES[type[first]] ?? 'invalid' };
  }
}
