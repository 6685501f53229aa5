import type { Argv, CommandModule } from 'yargs';
import { makeManifest } from '../../../src/saved-state/manifest/manifest.ts';
import { encodeManifest, type ManifestEncoding } from '../../../src/saved-state/manifest/manifest-file.ts';
import { withSource } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { type RamOptions, withRamFile } from '../../io/ram-file.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type CommonOptions, runCommand, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { line, NO_TEXT } from '../../terminal/terminal-text.ts';

interface Options extends CommonOptions, RamOptions {
  file: string;
  output: string;
  format?: ManifestEncoding;
  force: boolean;
}

export const manifestCommand: CommandModule<object, Options> = {
  builder: (argv) =>
    withRamFile(withCommonOptions(argv))
      .positional('file', { type: 'string', demandOption: true, describe: 'Saved state; - for stdin' })
      .option('output', {
        type: 'string',
        alias: 'o',
        demandOption: true,
        requiresArg: true,
        describe: 'File to write; - for stdout',
      })
      .option('format', {
        choices: ['json', 'msgpack'] as const,
        describe: 'Default: json, or msgpack for a name that ends so',
      })
      .option('force', { type: 'boolean', alias: 'f', default: false, describe: 'Replace an existing file' })
      .example('$0 manifest machine.sav -o machine.manifest', 'While the state is good')
      .example('$0 verify --manifest machine.manifest machine.sav', 'Later: which page, unit or field has changed?')
      .epilogue(
        'A manifest holds hashes and the decoded registers, no memory. A damaged state gets none.',
      ) as unknown as Argv<Options>,
  handler: async (options) => {
    const { output, force, quiet } = options;
    process.exitCode = await runCommand('manifest', [options.file], options, (job) =>
      withSource(
        job,
        (source) =>
          withOutput(output, { force }, async (sink) => {
            const manifest = await makeManifest(source, stepsOf(job, source));
            const encoding = options.format ?? (output.endsWith('.msgpack') ? 'msgpack' : 'json');
            const bytes = encodeManifest(manifest, encoding);
            await sink.write(bytes);
            const { file, units, memory } = manifest;
            const result = {
              sha256: file.sha256,
              memoryRoot: memory.root,
              units: units.length,
              encoding,
              size: bytes.length,
            };
            const text =
              quiet || output === '-'
                ? NO_TEXT
                : line`${output}: ${sizeText(bytes.length)}; memory ${memory.root}, file ${file.sha256}`;
            return { keep: true, value: { exitCode: ExitCode.OK, result, text } };
          }),
        options,
      ),
    );
  },
};
