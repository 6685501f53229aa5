import { heading } from '../terminal/styles.ts';
import { lines, type TerminalText } from '../terminal/terminal-text.ts';

/** Registers in the first table of CPUs, and in the second one. */
export const SHOWN_REGISTERS = ['rip', 'rsp', 'rflags'];
export const CONTROL_REGISTERS = ['cr0', 'cr2', 'cr3', 'cr4', 'efer'];

/** A part of a state's description, under its heading. */
export function section(title: string, body: TerminalText): TerminalText {
  return lines([heading(title), body]);
}
