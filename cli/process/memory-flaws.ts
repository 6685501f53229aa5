import type { Finding } from '../../src/saved-state/reading/findings.ts';
import type { MemoryFlaws } from '../../src/saved-state/reading/state-view.ts';
import { tell } from '../terminal/print.ts';
import { line, type TerminalText } from '../terminal/terminal-text.ts';
import { type CommonOptions, isForPrograms, type Outcome } from './run-command.ts';

/** Findings about flaws of a state's memory, for programs that read the result of a command. */
export function memoryFindings({ uncertain, missing }: MemoryFlaws): Finding[] {
  const warning = (code: string, message: string) => ({ severity: 'warning' as const, code, message, place: {} });
  return [
    ...(uncertain === undefined ? [] : [warning('places-unknown', `Memory may lie at other addresses: ${uncertain}`)]),
    ...(missing === undefined ? [] : [warning('pages-missing', `Memory is not whole: ${missing}`)]),
  ];
}

/** Puts the flaws of a state's memory into words. */
export function memoryNotes({ uncertain, missing }: MemoryFlaws): TerminalText[] {
  return [
    ...(uncertain === undefined ? [] : [line`addresses may be wrong: ${uncertain}`]),
    ...(missing === undefined ? [] : [line`memory is not whole: ${missing}`]),
  ];
}

/** Adds the flaws of a state's memory to an outcome that shows some of it; people read them on stderr. */
export function withMemoryFlaws(outcome: Outcome, flaws: MemoryFlaws, options: CommonOptions): Outcome {
  if (!options.quiet && !isForPrograms(options)) for (const note of memoryNotes(flaws)) tell(note);
  return { ...outcome, findings: [...(outcome.findings ?? []), ...memoryFindings(flaws)] };
}
