import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DOCUMENTS } from './format-tables.ts';
import { fillTables } from './struct-table.ts';

describe('FORMAT.md', () => {
  for (const [path, tables] of Object.entries(DOCUMENTS)) {
    it(`${path} has the tables of today's declarations (npm run docs writes them)`, () => {
      const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
      const text = readFileSync(file, 'utf8');
      const filled = fillTables(text, tables);
      if (process.env.SAVKIT_WRITE_DOCS) writeFileSync(file, filled);
      else expect(text).toBe(filled);
      expect(text).toContain('<!-- table ');
    });
  }
});
