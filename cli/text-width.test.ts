import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import textWidth from './text/text-width.ts';

const folder = new URL('./commands/', import.meta.url);
const commands = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

describe('textWidth()', () => {
  it('counts what a terminal shows', () => {
    expect(textWidth('\u001b[1mbold\u001b[22m, plain')).toBe(11);
  });

  it('needs to know nothing else: no command has wide characters, or ones without width, in its texts', () => {
    for (const file of ['../command-line.ts', '../command-list.ts', '../process/run-command.ts', ...commands]) {
      expect(readFileSync(new URL(file, folder), 'utf8'), file).not.toMatch(/[^\p{ASCII}×–…→↔±µ≥≤−“”’]/u);
    }
  });
});
