import { structTable } from '../formats/docs/struct-table.ts';
import { SOURCE_STATES, TARGET_STATES, type TransitionTable } from './hand-over/states.ts';
import { AFTER_ROUND, FRAMES, frameHeader, PAGE_CODECS, pageEntry, pagesHead } from './wire/frames.ts';
import * as limits from './wire/limits.ts';

const TAILS = {
  message: 'a message',
  hashes: 'hashes, 8 bytes each',
  bytes: 'bytes',
  pages: 'entries and contents, see Pages',
} as const;

/** The generated tables of PROTOCOL.md, by name. */
export const PROTOCOL_TABLES: Record<string, string> = {
  frameHeader: structTable(frameHeader),
  pagesHead: structTable(pagesHead),
  pageEntry: structTable(pageEntry),
  frames: framesTable(),
  codecs: numbered(PAGE_CODECS),
  afterRound: numbered(AFTER_ROUND),
  sourceStates: statesTable(SOURCE_STATES),
  targetStates: statesTable(TARGET_STATES),
  limits: limitsTable(),
};

function framesTable(): string {
  const rows = Object.values(FRAMES).map(({ type, name, from, head, tail, limit, doc }) => {
    const fields = Object.entries(head.fields).map(([field, { kind, doc: meaning }]) =>
      name === 'pages' ? '' : `${field} ${kind.name}: ${meaning}`,
    );
    const parts = [...fields.filter((field) => field !== ''), ...(tail === 'none' ? [] : [`then ${TAILS[tail]}`])];
    return `| ${type} | ${name} | ${from} | ${limit} | ${parts.join('; ') || '–'} | ${doc} |`;
  });
  return ['| Type | Frame | From | Bytes at most | Payload | Meaning |', '|--:|---|---|--:|---|---|', ...rows].join(
    '\n',
  );
}

function numbered(rows: readonly { name: string; doc: string }[]): string {
  return [
    '| Number | Name | Meaning |',
    '|--:|---|---|',
    ...rows.map(({ name, doc }, i) => `| ${i} | ${name} | ${doc} |`),
  ].join('\n');
}

function statesTable<S extends string, E extends string>(table: TransitionTable<S, E>): string {
  const states = Object.keys(table) as S[];
  const events = [...new Set(states.flatMap((state) => Object.keys(table[state]) as E[]))];
  const rows = states.map((state) => `| ${state} | ${events.map((event) => table[state][event] ?? '–').join(' | ')} |`);
  return [`| State | ${events.join(' | ')} |`, `|---|${'---|'.repeat(events.length)}`, ...rows].join('\n');
}

function limitsTable(): string {
  const numbers = Object.entries(limits).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return ['| Limit | Value |', '|---|--:|', ...numbers.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}
