import { countText } from '../../formats/amounts.ts';
import type { PassFigures, StreamFigures } from '../../migrations/teleporter/pass-figures.ts';
import { sizeText } from '../terminal/size-text.ts';
import { type Cell, table } from '../terminal/table.ts';
import { line, type TerminalText } from '../terminal/terminal-text.ts';

/** One line: pass, amount, rate. */
export function figuresLine({ bytes, seconds, passes }: StreamFigures): TerminalText {
  const pages = passes.reduce((sum, pass) => sum + pass.pages, 0);
  const now = passes.at(-1);
  const ofPass = line`${countText(now?.pages ?? 0, 'page')}, ${now?.dirtiedPages ?? 0} of them again`;
  const ofAll = line`${countText(pages, 'page')}, ${sizeText(bytes)}, ${rateText(bytes, seconds)}`;
  return line`pass ${now?.pass ?? 0}: ${ofPass} · in all ${ofAll}`;
}

/** One row per pass; neighbouring passes without pages share one. */
export function passTable(passes: readonly PassFigures[]): TerminalText {
  const rows: Cell[][] = [];
  for (let first = 0; first < passes.length; ) {
    let last = first;
    while (passes[first].pages === 0 && last + 1 < passes.length && passes[last + 1].pages === 0) last++;
    rows.push(rowOf(passes.slice(first, last + 1)));
    first = last + 1;
  }
  return table(['pass', 'pages', 'zero', 'sent again', 'bytes', 'rate'], rows);
}

function rowOf(passes: readonly PassFigures[]): Cell[] {
  const sum = (key: 'pages' | 'zeroPages' | 'dirtiedPages' | 'bytes' | 'seconds') =>
    passes.reduce((total, pass) => total + pass[key], 0);
  const [first, last] = [passes[0].pass, passes[passes.length - 1].pass];
  const bytes = sum('bytes');
  return [
    first === last ? String(first) : `${first}–${last}`,
    sum('pages'),
    sum('zeroPages'),
    sum('dirtiedPages'),
    sizeText(bytes),
    rateText(bytes, sum('seconds')),
  ];
}

export function rateText(bytes: number, seconds: number): string {
  return seconds > 0 ? `${sizeText(bytes / seconds)}/s` : '-';
}
