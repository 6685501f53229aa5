import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../docs/spec/', import.meta.url));

/**
 * Rows of a table in docs/spec, cells without the quotes of code.
 * @param section number of the section @param firstHead what the table's first column is called
 */
export function specTable(page: string, section: string, firstHead: string): string[][] {
  const lines = readFileSync(`${FOLDER}${page}`, 'utf8').split('\n');
  const begin = lines.findIndex((line) => new RegExp(`^#+ ${section.replaceAll('.', '\\.')}[. ]`).test(line));
  const head = lines.findIndex((line, i) => i > begin && cellsOf(line)[0] === firstHead);
  if (begin < 0 || head < 0) throw new Error(`${page} ${section} has no table of ${firstHead}`);
  const end = lines.findIndex((line, i) => i > head && !line.startsWith('|'));
  return lines.slice(head + 2, end).map(cellsOf);
}

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.replaceAll('`', '').trim());
}
