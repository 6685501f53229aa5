import type { Finding } from '../../src/saved-state/reading/findings.ts';
import { errorText } from '../process/run-command.ts';
import { line, type TerminalText } from '../terminal/terminal-text.ts';

/** A finding in the form of all commands: severity, place, message. */
export function findingText(finding: Finding): TerminalText {
  return line`${finding.severity}: ${placeText(finding)}${errorText(finding)}`;
}

function placeText({ place }: Finding): string {
  if (place.unit === undefined) return '';
  const pass = place.pass === undefined || place.pass === 'final' ? '' : ` pass ${place.pass}`;
  return `unit ${place.unit}/${place.instance ?? 0}${pass}: `;
}
