import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fillTables } from '../../formats/docs/struct-table.ts';
import { COMMANDS } from '../command-list.ts';
import { newPage, overviewOf, partsOf } from './command-page.ts';
import { declarationOf } from './declaration.ts';

const folder = fileURLToPath(new URL('../../docs/commands/', import.meta.url));
const nameOf = (command: string) => command.split(' ')[0];

const isWriting = process.env.SAVKIT_WRITE_DOCS !== undefined;

/** Compares a page with its parts as they are declared, or writes them into it. */
function compare(file: string, parts: Record<string, string>): string {
  const text = readFileSync(file, 'utf8');
  const filled = fillTables(text, parts);
  if (isWriting) writeFileSync(file, filled);
  else expect(text).toBe(filled);
  return filled;
}

describe('docs/commands', () => {
  it('has a page that lists all commands', () => {
    expect(compare(`${folder}README.md`, overviewOf(COMMANDS))).toContain('<!-- table commands -->');
  });

  it.each(COMMANDS)('has the page of $command, as it is declared (npm run docs writes it)', async (command) => {
    const name = nameOf(command.command);
    const file = `${folder}${name}.md`;
    if (isWriting && !existsSync(file)) writeFileSync(file, newPage(name));
    const filled = compare(file, partsOf(await declarationOf(command)));
    for (const part of ['synopsis', 'options', 'examples']) expect(filled).toContain(`<!-- table ${part} -->`);
  });

  it('has no page of an unknown command', () => {
    const known = new Set(COMMANDS.map(({ command }) => `${nameOf(command)}.md`));
    expect(readdirSync(folder).filter((name) => !known.has(name) && name !== 'README.md')).toEqual([]);
  });
});
