import { resolve } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { UsageError } from '../../../formats/errors.ts';
import type { GuestCheck } from '../../../src/running/guest.ts';
import { askMachine } from '../../control/control-client.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import {
  type CommonOptions,
  type Job,
  type Outcome,
  runCommand,
  withCommonOptions,
} from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { bad, good } from '../../terminal/styles.ts';
import { line, lines, ownLines, type TerminalText } from '../../terminal/terminal-text.ts';
import { heldText, notHeldText } from '../../text/guest-check-text.ts';
import { type DescribedStatistic, statisticsText } from '../../text/statistics-text.ts';

const ACTIONS = [
  'status',
  'stats',
  'console',
  'check',
  'pause',
  'resume',
  'reset',
  'stop',
  'save',
  'throttle',
] as const;

interface Options extends CommonOptions {
  machine: string;
  action: (typeof ACTIONS)[number];
  argument?: string;
  force: boolean;
}

export const controlCommand: CommandModule<object, Options> = {
  builder: (argv) =>
    withCommonOptions(argv)
      .positional('machine', {
        type: 'string',
        demandOption: true,
        describe: 'Control socket of the machine, as `savkit run` opens it',
      })
      .positional('action', { choices: ACTIONS, demandOption: true, describe: 'What to do' })
      .positional('argument', {
        type: 'string',
        describe:
          'save: the file to write; throttle: share of its time to hold it back, 0 to 0.99; stats: which ones, e.g. /PGM/LiveSave/*; console: a line for the debugger, see savkit console',
      })
      .option('force', { type: 'boolean', alias: 'f', default: false, describe: 'Replace an existing file' })
      .example('$0 control vm.sock status', 'What it does, how far it is')
      .example('$0 control vm.sock check', 'Compare all of its memory with what it must hold')
      .example("$0 control vm.sock console 'info handlers'", 'What the debugger says, while it runs')
      .example('$0 control vm.sock reset', 'As its reset button does: it begins anew')
      .example('$0 control vm.sock save vm.sav', 'Save it while it stands')
      .epilogue('To save it while it runs: savkit live-save.') as unknown as Argv<Options>,
  handler: async (options) => {
    process.exitCode = await runCommand('control', [options.machine], options, (job) => control(options, job));
  },
};

async function control({ machine, action, argument, force }: Options, { signal, progress }: Job): Promise<Outcome> {
  const request = { command: action, ...argumentsOf(action, argument, force) };
  const onEvent = (_: string, data: object) => progress.update((data as { percent: number }).percent, 100, action);
  const result = await askMachine(machine, request, onEvent, signal);
  if (action === 'check') return checkOutcome(result as unknown as GuestCheck);
  if (action === 'stats')
    return { exitCode: ExitCode.OK, result, text: statisticsText(result.statistics as DescribedStatistic[]) };
  if (action === 'console') return { exitCode: ExitCode.OK, result, text: ownLines(String(result.text)) };
  const text =
    action === 'save'
      ? line`${argument ?? ''}: saved; the machine stood for ${Number(result.downtimeMs).toFixed(1)} ms`
      : statusText(result);
  return { exitCode: ExitCode.OK, result, text };
}

const MISSING = { save: 'file', throttle: 'share', console: 'command' } as const;

function argumentsOf(action: Options['action'], argument: string | undefined, force: boolean): object {
  if (action === 'stats') return argument === undefined ? {} : { pattern: argument };
  const wants = action === 'save' || action === 'throttle' || action === 'console';
  if (wants !== (argument !== undefined))
    throw new UsageError(
      'usage',
      wants ? `Cannot ${action}: what is missing is the ${MISSING[action]}` : `Cannot ${action} with an argument`,
    );
  if (action === 'console') return { line: argument };
  if (action === 'save') return { path: resolve(argument ?? ''), force };
  if (action !== 'throttle') return {};
  const share = Number(argument);
  if (!(share >= 0 && share <= 1)) throw new UsageError('usage', `Cannot throttle by ${argument}: expected 0 to 0.99`);
  return { share };
}

function checkOutcome(check: GuestCheck): Outcome {
  const fine = check.faults.length === 0;
  const verdict = fine ? good(heldText(check.pages)) : bad(notHeldText(check.faults.length));
  return {
    exitCode: fine ? ExitCode.OK : ExitCode.BAD_FILE,
    result: check,
    text: line`${verdict} after ${countText(check.steps, 'step')}`,
  };
}

interface Status {
  name: string;
  cpus?: { guestMode: string | null; shadowMode: string | null }[];
  host?: { paging: string | null; sharing: { exchangedPages: number } | null };
  state: string;
  ramSize: number;
  workload: { kind: string; pages: number; rate: number };
  steps: number;
  ticks: number;
  faults: number;
  throttle: number;
  figures: { runMs: number; steps: number; longestGapMs: number | null };
}

function statusText(status: object): TerminalText {
  const { name, state, ramSize, workload, steps, faults, throttle, figures, cpus, host } = status as Status;
  const rate = figures.runMs > 0 ? Math.round((figures.steps / figures.runMs) * 1000) : 0;
  const held = throttle > 0 ? `, held back ${Math.round(throttle * 100)} %` : '';
  const sound = faults === 0 ? good('no faults') : bad(countText(faults, 'fault'));
  return lines([
    line`${name} is ${state}, ${sizeText(ramSize)} of RAM`,
    line`  ${workload.kind}, ${countText(workload.pages, 'page')}: ${countText(steps, 'step')}, ${rate} per second of ${workload.rate}${held}; ${sound}`,
    ...(host?.paging && cpus
      ? [line`  on ${host.paging}: ${cpus.map((cpu) => `${cpu.guestMode} in ${cpu.shadowMode}`).join(', ')}`]
      : []),
    line`  longest time without execution: ${(figures.longestGapMs ?? Number.NaN).toFixed(1)} ms`,
  ]);
}
