import { indent, line, type TerminalText } from '../terminal/terminal-text.ts';

/** Lines for the questions that a forecast leaves open. */
export function openText({
  notJudged,
  assumed,
}: {
  notJudged: readonly string[];
  assumed: readonly string[];
}): TerminalText[] {
  return [
    ...notJudged.map((what) => indent(line`not judged: ${what}`)),
    ...assumed.map((what) => indent(line`taken for granted: ${what}`)),
  ];
}
