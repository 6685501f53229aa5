import { type X2jOptions, XMLParser, XMLValidator } from 'fast-xml-parser';
import { FormatError } from '../../../formats/errors.ts';

/** An element of XML: its attributes are strings, its elements objects, or lists of them. */
export type Element = Record<string, unknown>;

/** Depth of nested elements: two for each of 250 nested snapshots, and the elements of a machine. */
const MAX_DEPTH = 1000;
/** VirtualBox attaches at most 255 devices to a controller. */
const MAX_CHILDREN = 1024;
/**
 * Maximum number of elements and attributes, and of words: as many as a file of 2 MiB by VirtualBox has. The parser
 * needs some 14 µs for each of the former, and does not look at signals meanwhile.
 */
const MAX_MARKS = 80_000;
const MAX_WORDS = 250_000;
/** Each document gets its own parser, since a parser remembers entities. */
const OPTIONS = {
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseAttributeValue: false,
  processEntities: false,
  attributeValueProcessor: (_name: string, value: string) => decoded(value),
  // The spaces around an attribute belong to it: VirtualBox takes the default for a number or a switch after a space.
  trimValues: false,
  tagValueProcessor: (_name: string, value: string) => value.trim(),
  maxNestedTags: MAX_DEPTH,
  // The path of each element as text would cost its depth.
  jPath: false,
};

/**
 * The elements of a settings file, by the name of the root.
 * @param special options of the parser
 * @throws FormatError `bad-settings`
 */
export function parseSettings(text: string, name: string, special: X2jOptions = {}): Element {
  if (/<!DOCTYPE/i.test(text))
    throw new FormatError(
      'bad-settings',
      `Cannot read ${name}: it has a document type, which settings of a machine never have`,
    );
  expectModest(text, name);
  const valid = XMLValidator.validate(text);
  if (valid !== true)
    throw new FormatError(
      'bad-settings',
      `Cannot read ${name}: it is no XML, ${shortened(valid.err.msg)} (line ${valid.err.line})`,
    );
  try {
    return new XMLParser({ ...OPTIONS, ...special }).parse(text) as Element;
  } catch (error) {
    // Elements nested too deep, or names with a meaning in JavaScript.
    throw new FormatError(
      'bad-settings',
      `Cannot read ${name}: it is no settings file, ${shortened((error as Error).message)}`,
    );
  }
}

/** @throws FormatError `bad-settings` for more than the parser reads in about a second */
function expectModest(text: string, name: string): void {
  let marks = 0;
  let words = 0;
  for (let i = 0, isSpace = true; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const wasSpace = isSpace;
    isSpace = code <= SPACE;
    if (wasSpace && !isSpace) words++;
    if (code === LESS_THAN || code === EQUALS) marks++;
  }
  if (marks > MAX_MARKS || words > MAX_WORDS)
    throw new FormatError(
      'bad-settings',
      `Cannot read ${name}: it has ${marks} elements and attributes and ${words} words, more than settings of a ` +
        `machine have (${MAX_MARKS}, ${MAX_WORDS})`,
    );
}

const [SPACE, LESS_THAN, EQUALS] = [0x20, 0x3c, 0x3d];

/** Shortens a message of the parser, which repeats all elements that have no end. */
function shortened(message: string): string {
  const text = message.replace(/\s+/g, ' ');
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}

/** Letters of a parser's message that are repeated. */
const MAX_MESSAGE = 100;

/** The first element of a name; an empty one if there is none. */
export function child(element: Element, tag: string): Element {
  return children(element, tag)[0] ?? {};
}

/** @throws FormatError `bad-settings` for more than any machine has */
export function children(element: Element, tag: string): Element[] {
  const value = element[tag];
  const list = Array.isArray(value) ? value : [value];
  if (list.length > MAX_CHILDREN)
    throw new FormatError(
      'bad-settings',
      `Cannot read settings: there are ${list.length} elements <${tag}>, expected at most ${MAX_CHILDREN}`,
    );
  return list.filter((item): item is Element => typeof item === 'object' && item !== null);
}

/** The only element of a name; an empty one if there is none. @throws FormatError `bad-settings` for several */
export function onlyChild(element: Element, tag: string): Element {
  const [first = {}, ...others] = children(element, tag);
  // Of some elements VirtualBox takes the first one, of others the last.
  if (others.length > 0)
    throw new FormatError('bad-settings', `Cannot read settings: there are several <${tag}>, expected one`);
  return first;
}

const ENTITIES = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

/** A text with its references to characters replaced. */
function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hexadecimal, name) => {
    if (name !== undefined) return ENTITIES.get(name) ?? whole;
    const code = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
    return code <= MAX_CODE_POINT ? String.fromCodePoint(code) : whole;
  });
}

const MAX_CODE_POINT = 0x10ffff;

export function textOf(value: unknown, missing: string): string {
  return typeof value === 'string' ? value : missing;
}

/**
 * Numbers of which VirtualBox, libvirt and this reader make the same: `010` is octal for both, `1.6e1` is 1. VirtualBox
 * passes over spaces after a number, not before.
 */
const NUMBER = /^(?:0x[0-9a-f]+|0?[0-7]|[1-9]\d*)\s*$/i;

/** Decimal, or hexadecimal after `0x`. @throws FormatError `bad-settings` for text that others may read otherwise */
export function number(value: unknown, missing: number): number {
  if (value === undefined) return missing;
  const parsed = typeof value === 'string' && NUMBER.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(parsed)) return parsed;
  throw new FormatError('bad-settings', `Cannot read settings: ${shown(value)} is no number as VirtualBox writes it`);
}

const FLAGS = new Map<unknown, boolean>([
  ...['true', 'yes', '1'].map((word) => [word, true] as const),
  ...['false', 'no', '0'].map((word) => [word, false] as const),
]);

/** @throws FormatError `bad-settings` for a word that is neither yes nor no */
export function flag(value: unknown, missing: boolean): boolean {
  if (value === undefined) return missing;
  const told = FLAGS.get(value);
  if (told !== undefined) return told;
  throw new FormatError('bad-settings', `Cannot read settings: ${shown(value)} is neither true nor false`);
}

/** @throws FormatError `bad-settings` for a word that VirtualBox would refuse */
export function oneOf<T extends string>(value: unknown, allowed: readonly T[], missing: T): T {
  if (value === undefined) return missing;
  const told = allowed.find((word) => word === value);
  if (told !== undefined) return told;
  throw new FormatError(
    'bad-settings',
    `Cannot read settings: ${shown(value)} is unknown, expected ${allowed.join(' or ')}`,
  );
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(shortened(value)) : 'an element';
}
