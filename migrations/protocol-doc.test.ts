import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fillTables } from '../formats/docs/struct-table.ts';
import { PROTOCOL_TABLES } from './protocol-tables.ts';

describe('PROTOCOL.md', () => {
  it("has the tables of today's declarations (npm run docs writes them)", () => {
    const file = fileURLToPath(new URL('./PROTOCOL.md', import.meta.url));
    const text = readFileSync(file, 'utf8');
    const filled = fillTables(text, PROTOCOL_TABLES);
    if (process.env.SAVKIT_WRITE_DOCS) writeFileSync(file, filled);
    else expect(text).toBe(filled);
    for (const name of Object.keys(PROTOCOL_TABLES)) expect(text).toContain(`<!-- table ${name} -->`);
  });
});
