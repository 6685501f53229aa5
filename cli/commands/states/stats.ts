import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { loadState } from '../../../src/machine/load.ts';
import { familyOf } from '../../../src/saved-state/families/read-state.ts';
import { type BlockStatistics, qemuStatistics } from '../../../src/saved-state/qemu/page-statistics.ts';
import type { StateFamily } from '../../../src/saved-state/reading/families.ts';
import { runningStatistics } from '../../control/running-statistics.ts';
import { isControlSocket } from '../../control/socket-path.ts';
import { withSource } from '../../io/input.ts';
import { expectOptionsOf } from '../../parsing/family-options.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { table } from '../../terminal/table.ts';
import type { TerminalText } from '../../terminal/terminal-text.ts';
import { listStatistics, statisticsText } from '../../text/statistics-text.ts';

const builder = (argv: Argv) =>
  withRamFile(withCommonOptions(argv))
    .positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'Saved state; - for stdin; or the control socket of a running machine',
    })
    .positional('pattern', {
      type: 'string',
      describe:
        'Names of statistics, with the wildcards * and ?, and | between alternatives; default: all that are not 0',
    })
    .option('watch', {
      type: 'number',
      requiresArg: true,
      describe: 'Of a running machine: look again after so many seconds, and show changed statistics, until Ctrl-C',
    })
    .example('$0 stats machine.sav', 'Counts of the memory in the state')
    .example("$0 stats machine.sav '/PGM/Page/*|/MM/*'", 'All of these, also where they are 0')
    .epilogue(
      "The names are those of VirtualBox's page manager (VBoxManage debugvm NAME statistics). In a " +
        'saved state, statistics of events in a running machine, such as page faults, are 0. A tick is a nanosecond ' +
        "of the clock of the machine's process. Of a state of QEMU the pages of each block are counted.",
    );
type Options = OptionsOf<typeof builder>;

export const statsCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('stats', [options.file], options, (job) =>
    isControlSocket(options.file) ? runningStatistics(job, options.file, options) : stateStatistics(job, options),
  );
});

function stateStatistics(job: Job, options: Options): Promise<Outcome> {
  if (options.watch !== undefined)
    throw new UsageError(
      'bad-combination',
      `Cannot watch ${options.file}: only the statistics of a running machine change`,
    );
  return withSource(
    job,
    async (whole) => {
      const { family, source } = await familyOf(whole);
      expectOptionsOf(family, options, OWN_OPTIONS);
      return COUNTERS[family.name](source, job, options);
    },
    options,
  );
}

/** Default values of the options of one family. */
const OWN_OPTIONS = { virtualbox: { pattern: undefined }, qemu: { ram: undefined } };

const COUNTERS: Record<StateFamily['name'], (source: ByteSource, job: Job, options: Options) => Promise<Outcome>> = {
  async virtualbox(source, job, { pattern }) {
    const { statistics } = await loadState(source, { ...stepsOf(job, source), contents: 'judged' });
    const listed = listStatistics(statistics, pattern);
    return { exitCode: ExitCode.OK, result: { statistics: listed }, text: statisticsText(listed) };
  },
  async qemu(source, job) {
    const blocks = await qemuStatistics(source, stepsOf(job, source));
    return { exitCode: ExitCode.OK, result: { family: 'qemu', blocks }, text: blocksText(blocks) };
  },
};

function blocksText(blocks: readonly BlockStatistics[]): TerminalText {
  return table(
    ['block', 'pages', 'in the state', 'with content', 'zeros', 'sent again', ''],
    blocks.map(({ name, totalPages, pages, filled, zeros, repeats, leftOut }) => [
      name,
      totalPages,
      pages,
      filled,
      zeros,
      repeats,
      leftOut ? 'in the shared file (--ram)' : '',
    ]),
  );
}
