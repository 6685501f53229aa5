import { countText } from '../../formats/amounts.ts';
import { shellWord } from '../../formats/values/shell-word.ts';
import type { WakeProof } from '../../migrations/wake/proof.ts';
import type { BroughtBack } from '../../src/wake/back/back.ts';
import type { Notice } from '../../src/wake/notices.ts';
import type { PreparedWake } from '../../src/wake/prepare.ts';
import type { Refusal } from '../../src/wake/refusal.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines, type TerminalText } from '../terminal/terminal-text.ts';

/** Result of a wake. */
export interface WakeResult {
  machine: string;
  qemu: string;
  /** Command line of QEMU, the program first, without the arguments that load the state. */
  commandLine: readonly string[];
  notices: readonly Notice[];
  proof?: WakeProof;
}

/** @param output the file that was written; absent where the machine has run */
export function wakeText(file: string, output: string | undefined, result: WakeResult): TerminalText {
  const { machine, qemu, notices, proof } = result;
  return lines([
    line`${file}: wakes in QEMU ${qemu} as ${machine}`,
    ...notices.map(({ kind, message }) => indent(line`${kind}: ${message}`)),
    ...(proof ? [proofLine(proof)] : []),
    ...(proof?.differences ?? []).map((what) => indent(line`${what}`)),
    ...(output === undefined || proof?.holds === false
      ? []
      : [line`to run it:`, indent(line`${commandText(result, output)}`)]),
  ]);
}

/** All refusals, each with its remedy. */
export function refusalsText(file: string, refusals: readonly Refusal[]): TerminalText {
  return lines([
    line`${file}: ${bad('cannot be woken')}, nothing was written`,
    ...refusals.map(({ reason, remedy }) => indent(line`${reason}: ${remedy}`)),
  ]);
}

/** Tells whether a state could be woken, and how. */
export function foreseenText(
  file: string,
  { refusals, notices }: PreparedWake,
  commandLine: readonly string[],
): TerminalText {
  if (refusals.length > 0)
    return lines([
      line`${file}: ${bad('cannot be woken')}`,
      ...refusals.map(({ reason, remedy }) => indent(line`${reason}: ${remedy}`)),
    ]);
  return lines([
    line`${file}: ${good('can be woken')} in QEMU (savkit wake), if its processor has the features that the guest uses`,
    ...notices.map(({ kind, message }) => indent(line`${kind}: ${message}`)),
    indent(line`${commandLine.map(shellWord).join(' ')}`),
  ]);
}

/** Result of bringing a machine of QEMU back to VirtualBox. */
export function broughtBackText(file: string, output: string, { machine, pages, units }: BroughtBack): TerminalText {
  const own = line`${countText(pages, 'page')} of RAM and ${countText(units.length, 'unit')}`;
  return lines([
    line`${file}: ${machine} is a state of VirtualBox now, ${output}`,
    indent(line`${own} come from the guest, all else from the template`),
  ]);
}

function proofLine({ holds, pages, registers, differences }: WakeProof): TerminalText {
  const compared = `${countText(pages, 'page')} and ${countText(registers, 'register')}`;
  return holds
    ? line`${good('proved')}: ${compared} are the same in the stopped QEMU as in the state`
    : line`${bad('NOT PROVED')}, nothing was written: of ${compared} ${differences.length} differ`;
}

/** QEMU's command line for a POSIX shell. */
export function commandText({ commandLine }: Pick<WakeResult, 'commandLine'>, output: string): string {
  return [...commandLine, '-incoming', `exec:cat ${shellWord(output)}`].map(shellWord).join(' ');
}
