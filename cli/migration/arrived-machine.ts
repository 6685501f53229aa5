import { PAGE_SIZE } from '../../formats/units.ts';
import type { ArrivingMachine } from '../../migrations/virtual-machine/arriving-machine.ts';
import type { Outcome } from '../command.ts';
import { type KeepFileOptions, keepFile } from '../control/keep-file.ts';
import { defaultSocketPath, keepRunning } from '../control/keep-running.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { ExitCode } from '../exit-codes.ts';
import type { LiveReport } from '../live-report.ts';
import { sizeText } from '../size-text.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT } from '../terminal/terminal-text.ts';

export interface ArrivedOptions extends KeepFileOptions {
  quiet: boolean;
  runFor?: number;
  control?: string;
}

/** The machine runs until it is stopped; then it says whether its memory is what its workload left there. */
export async function keepArrived(
  { name, machine, running }: ArrivingMachine,
  options: ArrivedOptions,
  report: LiveReport,
  signal: AbortSignal,
): Promise<Outcome> {
  const { quiet } = options;
  const kept: KeptMachine | undefined = running && { name, running };
  if (kept) await untilItEnds(kept, options, report, signal);
  const check = running?.selfCheck();
  const faults = check?.faults.length ?? 0;
  const result = {
    action: 'received',
    pages: machine.memory.pages.counts.all,
    workload: running ? { kind: running.guest.kind, steps: check?.steps ?? 0, ticks: check?.ticks ?? 0, checkedPages: check?.pages ?? 0, faults } : null,
    movedTo: kept?.movedTo ?? null,
    savedTo: kept?.savedTo ?? null,
  };
  const text = [
    line`${good('received')}: a machine of ${sizeText(result.pages * PAGE_SIZE)}`,
    ...(result.workload
      ? [
          indent(
            line`workload ${result.workload.kind}: ${result.workload.steps} steps in ${result.workload.ticks} ticks; self-check of ${result.workload.checkedPages} pages: ${faults === 0 ? good('clean') : bad(`${faults} faults`)}`,
          ),
        ]
      : [indent('it holds no workload, so there is nothing to run')]),
    ...(result.movedTo === null ? [] : [indent(line`moved on to ${result.movedTo}`)]),
    ...(result.savedTo === null ? [] : [indent(line`saved to ${result.savedTo}`)]),
  ];
  return { exitCode: faults === 0 ? ExitCode.OK : ExitCode.BAD_FILE, result, text: quiet && faults === 0 ? NO_TEXT : lines(text) };
}

/** Runs a machine until it is off, is handed over, its time is over, or a signal ends it. */
async function untilItEnds(kept: KeptMachine, options: ArrivedOptions, report: LiveReport, signal: AbortSignal): Promise<void> {
  const { runFor, control: socket = defaultSocketPath() } = options;
  const stop = new AbortController();
  const timer = runFor === undefined ? undefined : setTimeout(() => stop.abort(), runFor * 1000);
  const file = keepFile(kept.name, options);
  try {
    const failure = await keepRunning(kept, {
      socket,
      file,
      signal: AbortSignal.any([signal, stop.signal]),
      onReady: () =>
        report.note(
          'control',
          line`Control socket ${socket}; \`savkit control ${socket} stop\` ends the machine, SIGTERM and a second Ctrl-C save it to ${file.path}`,
          { socket, keepIn: file.path },
        ),
      // The machine runs here only: without a control socket is better than not at all.
      onNoSocket: (error) => report.note('control', line`${error.message}; the machine runs without one`, { error: 'code' in error ? error.code : 'internal' }),
    });
    if (failure) throw failure;
  } finally {
    clearTimeout(timer);
  }
}
