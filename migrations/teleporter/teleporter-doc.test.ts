import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fillTables } from '../../formats/docs/struct-table.ts';
import { RECEIVER_STEPS } from './receiver.ts';
import { COMMANDS } from './wire.ts';

type Step = (typeof RECEIVER_STEPS)['ready']['load'];

function stepText(step: Step): string {
  if ('refuses' in step) return `NACK=${step.refuses}`;
  if ('ends' in step) return 'ends';
  return { load: 'ACK, stream, ACK → loaded', lock: 'ACK → locked', 'hand-over': 'ACK → handed over' }[step.does];
}

function receiverTable(): string {
  const states = Object.keys(RECEIVER_STEPS) as (keyof typeof RECEIVER_STEPS)[];
  const rows = [...COMMANDS, 'other' as const].map(
    (command) => `| \`${command}\` | ${states.map((state) => stepText(RECEIVER_STEPS[state][command])).join(' | ')} |`,
  );
  return [`| command | ${states.join(' | ')} |`, `|---|${states.map(() => '---').join('|')}|`, ...rows].join('\n');
}

describe('TELEPORTER.md', () => {
  it("has today's table of the receiver (npm run docs writes it)", () => {
    const file = fileURLToPath(new URL('./TELEPORTER.md', import.meta.url));
    const text = readFileSync(file, 'utf8');
    const filled = fillTables(text, { receiver: receiverTable() });
    if (process.env.SAVKIT_WRITE_DOCS) writeFileSync(file, filled);
    else expect(text).toBe(filled);
  });
});
