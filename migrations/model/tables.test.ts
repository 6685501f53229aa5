import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { promelaTables } from './tables.ts';

it("The model has the states, transitions and resolutions of today's code (npm run docs writes them)", () => {
  const file = fileURLToPath(new URL('./tables.pml', import.meta.url));
  const made = promelaTables();
  if (process.env.SAVKIT_WRITE_DOCS) writeFileSync(file, made);
  else expect(readFileSync(file, 'utf8')).toBe(made);
});
