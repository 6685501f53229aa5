import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { explainQemu } from './qemu-messages.ts';

const page = readFileSync(
  join(fileURLToPath(new URL('../../../', import.meta.url)), 'docs/spec/qemu-stream.md'),
  'utf8',
);

/** The messages of the table in qemu-stream.md 10, with values in place of their letters. */
const messages = [...page.slice(page.indexOf('## 10. Messages')).matchAll(/^\| (?!QEMU says|---)([^|]+) \|/gm)].map(
  ([, text]) => text.replace(/\b[ABN]\b/g, '7').replace('D:FIELD …', 'cpu:env.eip'),
);

it('every message of qemu-stream.md is explained, nearly each by a row of its own', () => {
  expect(messages.length).toBeGreaterThan(35);
  expect(messages.filter((message) => explainQemu(message).length === 0)).toEqual([]);
  expect(new Set(messages.map((message) => explainQemu(message)[0].name)).size).toBeGreaterThan(messages.length - 4);
});

it('of a chain of messages the one that tells most comes first', () => {
  const chain =
    'Mismatched section id in footer for cpu - read 0x63 expected 0x5\nload of migration failed: Invalid argument';
  expect(explainQemu(chain).map(({ name }) => name)).toEqual([
    'Mismatched section id in footer for D',
    'load of migration failed',
  ]);
  expect(explainQemu('The disk is full')).toEqual([]);
});
