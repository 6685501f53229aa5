import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ExitCode } from './exit-codes.ts';

const CODES = Object.values(ExitCode);
const read = (file: string) => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8');

describe('exit codes', () => {
  it('are those that the schema of the JSON allows', () => {
    const { definitions } = JSON.parse(read('cli/output.schema.json'));
    expect(definitions.exitCode.enum).toEqual(CODES);
  });

  it.each([
    ['README.md', /^\| (\d+) \|/gm],
    ['docs/commands/README.md', /^- (\d+): /gm],
  ])('are listed in %s', (page, row) => {
    expect([...read(page).matchAll(row)].map(([, code]) => Number(code))).toEqual(CODES);
  });
});
