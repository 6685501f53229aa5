import { countText } from '../../formats/amounts.ts';
import type { Proof } from '../../src/saved-state/convert/proof.ts';
import { bad, good } from '../terminal/styles.ts';
import { table } from '../terminal/table.ts';
import { line, type TerminalText } from '../terminal/terminal-text.ts';

/** Lines for the result of a proof. @param rest names the other parts that were compared */
export function proofLines({ equal, ranges, differences }: Proof, rest: string): TerminalText[] {
  if (equal) return [line`${good('proved equal')}: ${countText(ranges, 'range')} of memory page by page, ${rest}`];
  return [
    bad('NOT EQUAL, the output was removed'),
    table(
      ['what', 'source', 'written'],
      differences.map(({ what, source, written }) => [what, source, written]),
    ),
  ];
}
