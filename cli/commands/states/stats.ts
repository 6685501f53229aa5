import type { Argv, CommandModule } from 'yargs';
import { loadState } from '../../../src/machine/load.ts';
import { withSource } from '../../io/input.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type CommonOptions, runCommand, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { listStatistics, statisticsText } from '../../text/statistics-text.ts';

interface Options extends CommonOptions {
  file: string;
  pattern?: string;
}

export const statsCommand: CommandModule<object, Options> = {
  builder: (argv) =>
    withCommonOptions(argv)
      .positional('file', { type: 'string', demandOption: true, describe: 'Saved state; - for stdin' })
      .positional('pattern', {
        type: 'string',
        describe: 'Which ones: * and ? as usual, | between alternatives; without it those that are not 0',
      })
      .example('$0 stats machine.sav', 'What the state holds')
      .example("$0 stats machine.sav '/PGM/Page/*|/MM/*'", 'All of these, also where they are 0')
      .epilogue(
        "The names are those of VirtualBox's page manager (VBoxManage debugvm NAME statistics). What only a running machine counts is 0.",
      ) as unknown as Argv<Options>,
  handler: async (options) => {
    process.exitCode = await runCommand('stats', [options.file], options, (job) =>
      withSource(job, async (source) => {
        const { statistics } = await loadState(source, stepsOf(job, source));
        const listed = listStatistics(statistics, options.pattern);
        return { exitCode: ExitCode.OK, result: { statistics: listed }, text: statisticsText(listed) };
      }),
    );
  },
};
