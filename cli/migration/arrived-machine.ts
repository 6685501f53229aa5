import { countText } from '../../formats/amounts.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { ArrivingMachine } from '../../migrations/virtual-machine/arriving-machine.ts';
import { type KeepFileOptions, keepFile } from '../control/keep-file.ts';
import { defaultSocketPath, keepRunning } from '../control/keep-running.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { stop } from '../io/stop.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Outcome } from '../process/run-command.ts';
import { sizeText } from '../terminal/size-text.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import type { LiveReport } from '../text/live-report.ts';

export interface ArrivedOptions extends KeepFileOptions {
  quiet: boolean;
  runFor?: number;
  control?: string;
  /** Called with the running machine. */
  onKept?: (kept: KeptMachine) => void;
  /** File in which the machine is kept instead of running. */
  output?: string;
}

/** Keeps a running machine until it is stopped; then checks whether its memory is as its workload left it. */
export async function keepArrived(
  { name, machine, running }: ArrivingMachine,
  options: ArrivedOptions,
  report: LiveReport,
  signal: AbortSignal,
): Promise<Outcome> {
  const pages = machine.memory.pages.counts.all;
  const size = sizeText(pages * PAGE_SIZE);
  const shown = (text: TerminalText) => (options.quiet ? NO_TEXT : text);
  if (!running) {
    stop.isTooLate = true;
    const { output = null } = options;
    const where = 'it exists in this file only, and does not run';
    const text = line`${output ?? ''}: ${good('received')}, a machine of ${size}; ${where}`;
    return {
      exitCode: ExitCode.OK,
      result: { action: 'received', pages, workload: null, movedTo: null, savedTo: output },
      text: shown(text),
    };
  }
  const kept: KeptMachine = { name, running };
  options.onKept?.(kept);
  await untilItEnds(kept, options, report, signal);
  const { movedTo = null, savedTo = null } = kept;
  const { kind } = running.guest;
  const { steps, ticks, pages: checkedPages, faults } = running.selfCheck();
  const workload = { kind, steps, ticks, checkedPages, faults: faults.length };
  const isSound = faults.length === 0;
  const work = line`workload ${kind}: ${countText(steps, 'step')} in ${countText(ticks, 'tick')}`;
  const verdict = isSound ? good('clean') : bad(countText(faults.length, 'fault'));
  const text = lines([
    line`${good('received')}: a machine of ${size}`,
    indent(line`${work}; self-check of ${countText(checkedPages, 'page')}: ${verdict}`),
    ...(movedTo === null ? [] : [indent(line`moved on to ${movedTo}`)]),
    ...(savedTo === null ? [] : [indent(line`saved to ${savedTo}`)]),
  ]);
  const result = { action: 'received', pages, workload, movedTo, savedTo };
  return { exitCode: isSound ? ExitCode.OK : ExitCode.BAD_FILE, result, text: isSound ? shown(text) : text };
}

/** Runs a machine until it is off or handed over, its time is over, or a signal ends it. */
async function untilItEnds(
  kept: KeptMachine,
  options: ArrivedOptions,
  report: LiveReport,
  signal: AbortSignal,
): Promise<void> {
  const { runFor, control: socket = defaultSocketPath() } = options;
  const stop = new AbortController();
  const timer = runFor === undefined ? undefined : setTimeout(() => stop.abort(), runFor * 1000);
  const file = keepFile(kept.name, options);
  try {
    const failure = await keepRunning(kept, {
      socket,
      file,
      signal: AbortSignal.any([signal, stop.signal]),
      onReady: () => {
        const stops = line`\`savkit control ${socket} stop\` ends the machine`;
        const saves = line`SIGTERM and a second Ctrl-C save it to ${file.path}`;
        report.note('control', line`Control socket ${socket}; ${stops}, ${saves}`, { socket, keepIn: file.path });
      },
      // The machine runs nowhere else, so it runs even without a control socket.
      onNoSocket: (error) =>
        report.note('control', line`${error.message}; the machine runs without one`, {
          error: 'code' in error ? error.code : 'internal',
        }),
    });
    if (failure) throw failure;
  } finally {
    clearTimeout(timer);
  }
}
