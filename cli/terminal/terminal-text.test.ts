import { describe, expect, it } from 'vitest';
import { table } from './table.ts';
import { indent, joined, jsonText, line, lines, NO_TEXT, ownLines } from './terminal-text.ts';

/** Each with what people see of it. */
const HOSTILE: readonly (readonly [what: string, text: string, seen: string])[] = [
  ['escape sequences', '\x1b]0;title\x07\x1b[2J', '?]0;title??[2J'],
  ['sequences of one C1 byte', '\u009b31m\u0090', '?31m?'],
  ['line feeds and returns', 'a\nb\rc\u0085d\u2028e\u2029f', 'a?b?c?d?e?f'],
  ['tabs, backspaces, NUL', 'a\tb\bc\0', 'a?b?c?'],
  ['the direction of writing', '\u202egnp.exe\u2066\u200f\u061c', '?gnp.exe???'],
  ['what is not to be seen', 'a\u200bb\u00adc\u2060d\ufeffe\u3164f\u180eg\ufe0fh\u{e0041}', 'a?b?c?d?e?f?g?h?'],
  ['lone surrogates', '\ud800x\udc00', '?x?'],
  ['heaps of marks', `e${'\u0301'.repeat(7)}`, `e${'\u0301'.repeat(4)}???`],
];

describe('TerminalText', () => {
  it.each(HOSTILE)('shows %s as ?', (_, text, seen) => {
    expect(line`${text}`.toString()).toBe(seen);
    expect(lines([text, text]).toString()).toBe(`${seen}\n${seen}`);
    expect(joined([text], ', ').toString()).toBe(seen);
    expect(indent(text).toString()).toBe(`  ${seen}`);
    expect(table(['name'], [[text]]).toString()).toBe(`  name\n  ${seen}`);
  });

  it('leaves words of all languages as they are', () => {
    for (const text of ['Prüfstand №1', '日本語', 'עברית', 'नमस्ते', 'e\u0301', '🖥 vm'])
      expect(line`${text}`.toString()).toBe(text);
  });

  it('keeps the line feeds of lines of our own', () => {
    expect(ownLines('one\n\x1btwo').toString()).toBe('one\n?two');
  });

  it('escapes a text once', () => {
    const ready = line`${'\x1b'}: ready\n`;
    expect(line`${ready}${ready}`.toString()).toBe('?: ready\n?: ready\n');
    expect(NO_TEXT.isEmpty).toBe(true);
  });

  it('shows the beginning of names without end, and cuts no character in two', () => {
    const shown = line`${'x'.repeat(1e6)} ${1}`.toString();
    expect(shown).toHaveLength(1026);
    expect(shown).toMatch(/x… 1$/);
    expect(line`${'🖥'.repeat(600)}`.toString()).toMatch(/^[🖥]+…$/u);
    expect(table(['name', 'n'], [['x'.repeat(1e6), 1]], 200).toString()).toMatch(/^ {2}name .* n\n {2}x+… {2}1$/);
  });

  it('keeps the meaning of JSON', () => {
    const value = Object.fromEntries(HOSTILE.map(([what, text]) => [what, text]));
    const text = jsonText(JSON.stringify(value, null, 2)).toString();
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    expect(JSON.parse(text)).toEqual(value);
  });
});
