import { styleText } from 'node:util';
import { showsColours } from './print.ts';
import { line, type Piece, TerminalText } from './terminal-text.ts';

export function heading(text: Piece): TerminalText {
  return paint('bold', text);
}
export function dim(text: Piece): TerminalText {
  return paint('dim', text);
}
export function good(text: Piece): TerminalText {
  return paint('green', text);
}
export function bad(text: Piece): TerminalText {
  return paint('red', text);
}

function paint(format: Parameters<typeof styleText>[0], text: Piece): TerminalText {
  const plain = line`${text}`;
  return showsColours() ? TerminalText.trusted(styleText(format, plain.toString())) : plain;
}
