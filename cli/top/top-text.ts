import { secondsText } from '../migration/migration-text.ts';
import { sizeText } from '../terminal/size-text.ts';
import { table } from '../terminal/table.ts';
import { line, type TerminalText } from '../terminal/terminal-text.ts';
import type { TopRow } from './look.ts';

/** The table of `top`; columns about migrations only where there is one. */
export function topText(rows: readonly TopRow[]): TerminalText {
  if (rows.length === 0) return line`no machines, and no migration under way`;
  const isMoving = rows.some(({ phase }) => phase !== null);
  const head = ['machine', 'memory', 'state'];
  const more = ['from / to', 'phase', 'round', 'done', 'sends', 'dirtied', 'left', 'would stand still'];
  return table(
    isMoving ? [...head, ...more] : head,
    rows.map((row) => [...machineCells(row), ...(isMoving ? migrationCells(row) : [])]),
  );
}

function machineCells({ name, bytes, state }: TopRow): string[] {
  return [name, shown(bytes, sizeText), state];
}

function migrationCells(row: TopRow): string[] {
  const { from, to, phase, round, progress, rate, dirtyRate, remainingBytes, downtimeMs } = row;
  const rateText = (bytes: number) => `${sizeText(bytes)}/s`;
  return [
    from !== null ? `← ${from}` : to !== null ? `→ ${to}` : '',
    phase ?? '',
    shown(round, String),
    shown(progress, (share) => `${Math.round(100 * share)} %`),
    shown(rate, rateText),
    shown(dirtyRate, rateText),
    shown(remainingBytes, sizeText),
    shown(downtimeMs, secondsText),
  ];
}

function shown(value: number | null, text: (value: number) => string): string {
  return value === null || !Number.isFinite(value) ? '' : text(value);
}
