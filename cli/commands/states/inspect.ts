import type { Argv, CommandModule } from 'yargs';
import { describeState } from '../../../src/saved-state/describe/describe.ts';
import { inspect } from '../../../src/saved-state/describe/inspect.ts';
import { withInput } from '../../io/input.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type CommonOptions, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { bad } from '../../terminal/styles.ts';
import { indent, lines } from '../../terminal/terminal-text.ts';
import { findingText } from '../../text/finding-text.ts';
import { renderState } from '../../text/inspect-text.ts';

interface Options extends CommonOptions {
  files: string[];
}

export const inspectCommand: CommandModule<object, Options> = {
  builder: (argv) =>
    withCommonOptions(argv)
      .positional('files', { type: 'string', array: true, demandOption: true, describe: 'Saved states; - for stdin' })
      .example('$0 inspect machine.sav', 'Container, units, memory map, registers, pages')
      .example("$0 inspect --json machine.sav | jq '.files[0].result.cpus'", 'Registers for a script')
      .epilogue(
        'Structure and CRCs are checked on the way, compressed data is not: that is for verify.',
      ) as unknown as Argv<Options>,
  handler: async (options) => {
    process.exitCode = await runCommand('inspect', options.files, options, ({ file, signal, progress }) =>
      withInput(file, async (source) => {
        const { state, findings } = await inspect(source, {
          signal,
          onProgress: (done) => progress.update(done, source.size),
        });
        const result = describeState(state);
        const damage = findings.map((finding) => bad(indent(findingText(finding))));
        const text = lines([
          file,
          renderState(result),
          ...(damage.length > 0 ? ['', 'Damage (see verify)', ...damage] : []),
        ]);
        const exitCode =
          findings.length === 0
            ? ExitCode.OK
            : findings.every(({ unsupported }) => unsupported)
              ? ExitCode.UNSUPPORTED
              : ExitCode.BAD_FILE;
        return { exitCode, findings, result, text };
      }),
    );
  },
};
