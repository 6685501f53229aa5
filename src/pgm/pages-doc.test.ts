import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { fillTables } from '../../formats/docs/struct-table.ts';
import { transitionTable } from './pages/page-transitions.ts';

it('PAGES.md has the transitions of today (npm run docs writes them)', () => {
  const file = fileURLToPath(new URL('PAGES.md', import.meta.url));
  const text = readFileSync(file, 'utf8');
  const filled = fillTables(text, { transitions: transitionTable() });
  if (process.env.SAVKIT_WRITE_DOCS) writeFileSync(file, filled);
  else expect(text).toBe(filled);
});
