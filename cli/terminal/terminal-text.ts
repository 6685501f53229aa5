// Text that may reach a terminal is a type of its own: names in files and words of other hosts are plain strings, and
// no plain string becomes such a text unescaped. Functions that print take this type only (see `print.ts` of this
// folder).

/** A name in a file may have any length: people see the beginning of longer ones. */
const LONGEST_PIECE = 1024;

/** Characters that control a terminal, change the direction of writing, or are invisible. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** Combining marks beyond the fourth on a letter: more of them would cover the lines around it. */
const HEAP_OF_MARKS = /(?<=\p{M}{4})\p{M}/gu;

/** Text that is safe to print. Only the functions below make it, and the other files of this folder. */
export class TerminalText {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** Takes text without escaping. Only files of this folder may call it; a test makes sure. */
  static trusted(text: string): TerminalText {
    return new TerminalText(text);
  }

  get isEmpty(): boolean {
    return this.#text === '';
  }

  toString(): string {
    return this.#text;
  }
}

/** Parts of a line; all but `TerminalText` are escaped. */
export type Piece = string | number | bigint | TerminalText;

/**
 * A template for one line, such as `` line`${file}: ${good('whole')}` ``; for several lines, where a part is a
 * `TerminalText` of several lines.
 */
export function line(literals: TemplateStringsArray, ...pieces: Piece[]): TerminalText {
  return TerminalText.trusted(
    literals.map((literal, i) => (i < pieces.length ? `${literal}${safe(pieces[i])}` : literal)).join(''),
  );
}

/** Text without any words; nothing is printed for it. */
export const NO_TEXT = line``;

/** The pieces, one below the other. */
export function lines(pieces: readonly Piece[]): TerminalText {
  return joined(pieces, '\n');
}

export function joined(pieces: readonly Piece[], separator: string): TerminalText {
  return TerminalText.trusted(pieces.map(safe).join(separator));
}

/** Takes a plain string with its line feeds: savkit's own words, without names from outside. */
export function ownLines(text: string): TerminalText {
  return lines(text.split('\n'));
}

/** JSON that is safe to print, and means the same. */
export function jsonText(json: string): TerminalText {
  const escaped = json.replace(UNPRINTABLE, (character) =>
    character === '\n' ? character : escapeSequence(character),
  );
  return TerminalText.trusted(escaped);
}

export function indent(text: Piece): TerminalText {
  return TerminalText.trusted(safe(text).replace(/^(?=.)/gm, '  '));
}

/** The beginning of a text of `most` characters. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function safe(piece: Piece): string {
  if (piece instanceof TerminalText) return piece.toString();
  return shortened(String(piece), LONGEST_PIECE).replace(UNPRINTABLE, '?').replace(HEAP_OF_MARKS, '?');
}

function escapeSequence(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
}
