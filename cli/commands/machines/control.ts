import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { UsageError } from '../../../formats/errors.ts';
import type { GuestCheck } from '../../../src/running/guest.ts';
import { MAX_THROTTLE } from '../../../src/running/step-pacer.ts';
import { askMachine } from '../../control/control-client.ts';
import type { MachineStatus } from '../../control/replies.ts';
import type { RequestOf } from '../../control/requests.ts';
import { finishing } from '../../io/stop.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FORCE } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { bad, good } from '../../terminal/styles.ts';
import { line, lines, ownLines, type TerminalText } from '../../terminal/terminal-text.ts';
import { heldText, notHeldText } from '../../text/guest-check-text.ts';
import { statisticsText } from '../../text/statistics-text.ts';

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
type Action = (typeof ACTIONS)[number];

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('machine', {
      type: 'string',
      demandOption: true,
      describe: 'Control socket of the machine, as `savkit run` opens it',
    })
    .positional('action', { choices: ACTIONS, demandOption: true, describe: 'Request to the machine' })
    .positional('argument', {
      type: 'string',
      describe:
        'save: the file to write; throttle: the share of time for which the guest is held back, 0 to 0.99; ' +
        'stats: names, such as /PGM/LiveSave/*; console: a line for the debugger (see savkit console), ' +
        'else its help is shown',
    })
    .option('force', FORCE)
    .example('$0 control vm.sock status', 'State, workload and figures of the machine')
    .example('$0 control vm.sock check', 'Compare all memory of the workload with its expected contents')
    .example("$0 control vm.sock console 'info handlers'", 'An answer of the debugger about the running machine')
    .example('$0 control vm.sock reset', 'Reset the machine, as by its reset button')
    .example('$0 control vm.sock save vm.sav', 'Suspend the machine for a save, then let it go on')
    .epilogue('To save a machine while it runs: savkit live-save.');
type Options = OptionsOf<typeof builder>;

export const controlCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('control', [options.machine], options, (job) => finishing(control(options, job)));
});

async function control({ machine, action, argument, force }: Options, { signal, progress }: Job): Promise<Outcome> {
  const ask = <C extends Action>(command: C, more: Partial<RequestOf<C>> = {}) =>
    askMachine(machine, { command, ...more }, () => {}, signal);
  const given = argumentOf(action, argument);
  switch (action) {
    case 'check':
      return checkOutcome(await ask(action));
    case 'stats': {
      const result = await ask(action, { pattern: argument });
      return { exitCode: ExitCode.OK, result, text: statisticsText(result.statistics) };
    }
    case 'console': {
      const result = await ask(action, { line: given === '' ? 'help' : given });
      return { exitCode: ExitCode.OK, result, text: ownLines(result.text) };
    }
    case 'save': {
      const request = { command: action, path: resolve(given), force };
      const result = await askMachine(machine, request, ({ percent }) => progress.update(percent, 100, action), signal);
      const text = line`${given}: saved; the machine stood still for ${result.downtimeMs.toFixed(1)} ms`;
      return { exitCode: ExitCode.OK, result, text };
    }
    default: {
      const result = await (action === 'throttle' ? ask(action, { share: shareOf(given) }) : ask(action));
      return { exitCode: ExitCode.OK, result, text: statusText(result) };
    }
  }
}

const MISSING = { save: 'file', throttle: 'share' } as const;
/** Actions whose argument may be missing. */
const MAY_HAVE_ARGUMENT: readonly Action[] = ['stats', 'console'];

/** The argument of an action; empty for actions without one. @throws UsageError for a missing or surplus argument */
function argumentOf(action: Action, argument: string | undefined): string {
  const wants = action === 'save' || action === 'throttle';
  if (!MAY_HAVE_ARGUMENT.includes(action) && wants !== (argument !== undefined))
    throw new UsageError(
      'usage',
      wants ? `Cannot ${action}: the ${MISSING[action]} is missing` : `Cannot ${action} with an argument`,
    );
  return argument ?? '';
}

function shareOf(argument: string): number {
  const share = Number(argument);
  if (!(share >= 0 && share <= MAX_THROTTLE))
    throw new UsageError('usage', `Cannot throttle by ${argument}: expected a number from 0 to ${MAX_THROTTLE}`);
  return share;
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

function statusText(status: MachineStatus): TerminalText {
  const { name, state, runtimeError, ramSize, workload, steps, faults, throttle, figures, cpus, host } = status;
  const rate = figures.runMs > 0 ? Math.round((figures.steps / figures.runMs) * 1000) : 0;
  const held = throttle > 0 ? `, held back ${Math.round(throttle * 100)} %` : '';
  const sound = faults === 0 ? good('no faults') : bad(countText(faults, 'fault'));
  const rates = line`${rate} per second of ${workload.rate}${held}`;
  return lines([
    line`${name} is ${state}, ${sizeText(ramSize)} of RAM`,
    ...(runtimeError
      ? [line`  ${bad('the host has no memory left for it')} (${runtimeError}); resume tries again`]
      : []),
    line`  ${workload.kind}, ${countText(workload.pages, 'page')}: ${countText(steps, 'step')}, ${rates}; ${sound}`,
    ...(host?.paging && cpus
      ? [line`  on ${host.paging}: ${cpus.map((cpu) => `${cpu.guestMode} in ${cpu.shadowMode}`).join(', ')}`]
      : []),
    ...hostLines(host),
    line`  longest time without execution: ${figures.longestGapMs.toFixed(1)} ms`,
  ]);
}

/** Lines on large pages and sharing, if they are in use. */
function hostLines(host: MachineStatus['host']): TerminalText[] {
  const { sharing, largePages: { allocated = 0, refused = 0 } = {}, duplicatePages = 0 } = host ?? {};
  const looks = countText(sharing?.passes ?? 0, 'look');
  return [
    ...(allocated + refused > 0
      ? [line`  ${countText(allocated, 'page')} of 2 MiB; ${countText(refused, 'block')} could not become one`]
      : []),
    ...(sharing ? [line`  ${countText(duplicatePages, 'page')} less by sharing, after ${looks} at all memory`] : []),
  ];
}
