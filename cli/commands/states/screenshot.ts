import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { screenshotOf } from '../../../src/saved-state/describe/screenshot.ts';
import { textScreenOf } from '../../../src/saved-state/describe/text-screen.ts';
import { withInput, withSource } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FILE, FORCE, outputTo } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { line, lines, NO_TEXT } from '../../terminal/terminal-text.ts';

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('state', FILE)
    .option('output', outputTo('PNG file to write; - for stdout'))
    .option('text', {
      type: 'boolean',
      default: false,
      describe: 'Print the text screen from video memory, in place of the picture',
    })
    .option('force', FORCE)
    .example('$0 screenshot machine.sav -o screen.png', 'The screen when the machine was saved')
    .example('$0 screenshot machine.sav --text', 'The text screen when the machine was saved')
    .epilogue('Exit codes: 0 written, 1 damaged, 5 the state holds no picture, or no text screen.');
type Options = OptionsOf<typeof builder>;

export const screenshotCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('screenshot', [options.state], options, (job) =>
    options.text && options.output === undefined
      ? withSource(job, (source) => showText(source, job))
      : writePicture(job, options),
  );
});

async function showText(source: ByteSource, { signal, progress }: Job): Promise<Outcome> {
  const screen = await textScreenOf(source, {
    signal,
    onProgress: (done) => progress.update(done, source.size),
  });
  return { exitCode: ExitCode.OK, result: screen, text: lines(screen.lines.map((own) => line`${own}`)) };
}

async function writePicture(
  { file, signal, progress }: Job,
  { output, text: asText, force, quiet }: Options,
): Promise<Outcome> {
  if (asText) throw new UsageError('bad-combination', 'Cannot do both: --text prints, --output is for the picture');
  if (output === undefined) throw new UsageError('usage', 'Cannot write the picture: expected --output FILE or --text');
  return withInput(file, async (source) => {
    const { png, ...picture } = await screenshotOf(source, {
      signal,
      onProgress: (done) => progress.update(done, source.size),
    });
    return withOutput(output, { force }, async (sink) => {
      await sink.write(png);
      const text =
        quiet || output === '-'
          ? NO_TEXT
          : line`${output}: ${picture.width}×${picture.height}, ${sizeText(png.length)}`;
      return { keep: true, value: { exitCode: ExitCode.OK, result: { ...picture, size: png.length }, text } };
    });
  });
}
