import type { UnitContents } from '../../src/saved-state/describe/describe-unit.ts';
import { heading } from '../terminal/styles.ts';
import { table } from '../terminal/table.ts';
import { indent, line, lines, type TerminalText } from '../terminal/terminal-text.ts';
import { versionText } from './inspect-text.ts';

/** A decoded unit for people: a row for each field. */
export function renderUnit({ name, instance, version, size, opaqueSize, fields }: UnitContents): TerminalText {
  const rows = fields.map(({ path, offset, text, doc }) => [offset, path, text, doc]);
  const parts = [
    heading(line`Unit ${name}/${instance}, version ${versionText(version)}, ${size} bytes`),
    table(['offset', 'field', 'value', 'meaning'], rows),
  ];
  if (opaqueSize > 0) parts.push(indent(line`The layout of ${opaqueSize} bytes is not known.`));
  return lines(parts);
}
