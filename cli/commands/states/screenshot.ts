import type { Argv, CommandModule } from 'yargs';
import { screenshotOf } from '../../../src/saved-state/describe/screenshot.ts';
import { withInput } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type CommonOptions, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { line, NO_TEXT } from '../../terminal/terminal-text.ts';

interface Options extends CommonOptions {
  state: string;
  output: string;
  force: boolean;
}

export const screenshotCommand: CommandModule<object, Options> = {
  builder: (argv) =>
    withCommonOptions(argv)
      .positional('state', { type: 'string', demandOption: true, describe: 'Saved state; - for stdin' })
      .option('output', {
        type: 'string',
        alias: 'o',
        demandOption: true,
        requiresArg: true,
        describe: 'PNG file to write; - for stdout',
      })
      .option('force', { type: 'boolean', alias: 'f', default: false, describe: 'Replace an existing file' })
      .example('$0 screenshot machine.sav -o screen.png', 'What was on the screen when the machine was saved?')
      .epilogue('Exit codes: 0 written, 1 damaged, 5 the state holds no picture.') as unknown as Argv<Options>,
  handler: async (options) => {
    const { output, force, quiet } = options;
    process.exitCode = await runCommand('screenshot', [options.state], options, ({ file, signal, progress }) =>
      withInput(file, async (source) => {
        const { png, ...picture } = await screenshotOf(source, {
          signal,
          onProgress: (done) => progress.update(done, source.size),
        });
        return withOutput(output, { force }, async (sink) => {
          await sink.write(png);
          const result = { ...picture, size: png.length };
          const text =
            quiet || output === '-'
              ? NO_TEXT
              : line`${output}: ${picture.width}×${picture.height}, ${sizeText(png.length)}`;
          return { keep: true, value: { exitCode: ExitCode.OK, result, text } };
        });
      }),
    );
  },
};
