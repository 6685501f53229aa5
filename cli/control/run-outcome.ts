import { countText } from '../../formats/amounts.ts';
import type { DefragmentReport } from '../../src/gmm/defragment.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { CommonOptions, Outcome } from '../process/run-command.ts';
import { bad, good } from '../terminal/styles.ts';
import { table } from '../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type Piece } from '../terminal/terminal-text.ts';
import { heldText, notHeldText } from '../text/guest-check-text.ts';
import type { KeptMachine } from './kept-machine.ts';
import { machineDescription } from './operations.ts';

/** The result of a run; the memory of a machine that is off is checked, after it was defragmented. */
export function runOutcome(
  kept: KeptMachine,
  defragmented: DefragmentReport,
  { quiet }: Pick<CommonOptions, 'quiet'>,
): Outcome {
  const { running, movedTo = null, savedTo = null, isUndecided: undecided = false } = kept;
  const check =
    running.state === 'off'
      ? running.selfCheck()
      : { steps: running.guest.block.steps, ticks: running.guest.block.ticks, pages: 0, faults: running.guest.faults };
  const seconds = (running.figures.runMs / 1000).toFixed(1);
  const end: Piece = movedTo === null ? endText(running, check.pages) : good(`moved to ${movedTo}`);
  const verdict = check.faults.length === 0 ? end : bad(notHeldText(check.faults.length));
  const text = [
    line`ran ${seconds} s: ${countText(check.steps, 'step')}, ${countText(check.ticks, 'tick')}; ${verdict}`,
  ];
  const { movedPages, emptiedChunks } = defragmented;
  if (movedPages > 0) {
    const emptied = countText(emptiedChunks, 'piece');
    text.push(line`  ${countText(movedPages, 'page')} moved together; ${emptied} of 2 MiB went back to the system`);
  }
  if (check.faults.length > 0) {
    const rows = check.faults.map(({ what, place, gcPhys, expected, found }) => [
      what,
      gcPhys === undefined ? `page ${place}` : `0x${gcPhys.toString(16)}`,
      expected,
      found,
    ]);
    text.push(indent(table(['what', 'where', 'expected', 'found'], rows)));
  }
  return {
    exitCode: check.faults.length === 0 ? ExitCode.OK : ExitCode.BAD_FILE,
    result: { ...machineDescription(kept), check, movedTo, savedTo, undecided, defragmented },
    text: quiet && check.faults.length === 0 ? NO_TEXT : lines(text),
  };
}

/** End of a machine that was not handed over. After a signal in the midst of a save its memory cannot be checked. */
function endText({ state }: RunningMachine, pages: number): Piece {
  return state === 'off' ? good(heldText(pages)) : 'ended; its memory was not checked';
}
