import type { Argv } from 'yargs';
import { makeManifest } from '../../../src/saved-state/manifest/manifest.ts';
import { encodeManifest, type ManifestEncoding } from '../../../src/saved-state/manifest/manifest-file.ts';
import { withSource } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { type RamOptions, withRamFile } from '../../io/ram-file.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptions } from '../../many/file-command.ts';
import { withInto, withManyFiles } from '../../many/options.ts';
import { expectOneOutput, outputOf } from '../../many/outputs.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { line, NO_TEXT } from '../../terminal/terminal-text.ts';

interface Options extends FileOptions, RamOptions {
  output?: string;
  format?: ManifestEncoding;
  force: boolean;
}

export const manifestCommand = fileCommand<Options>({
  name: 'manifest',
  usage: '<file>',
  builder: (argv) =>
    withInto(withManyFiles(withRamFile(withCommonOptions(argv))))
      .positional('files', {
        type: 'string',
        array: true,
        default: [],
        describe: 'Saved states, or with -r folders; - for stdin',
      })
      .option('output', {
        type: 'string',
        alias: 'o',
        requiresArg: true,
        describe: 'File to write; - for stdout',
      })
      .option('format', {
        choices: ['json', 'msgpack'] as const,
        describe: 'Default: json, or msgpack for a name that ends so',
      })
      .option('force', { type: 'boolean', alias: 'f', default: false, describe: 'Replace an existing file' })
      .example('$0 manifest machine.sav -o machine.manifest', 'While the state is good')
      .example('$0 manifest -r states --into manifests', 'Of each state in a folder')
      .example('$0 verify --manifest machine.manifest machine.sav', 'Later: which page, unit or field has changed?')
      .epilogue(
        'A manifest holds hashes and the decoded registers, no memory. A damaged state gets none.',
      ) as unknown as Argv<Options>,
  settle: expectOneOutput,
  extension: ({ format }) => (format === 'msgpack' ? '.msgpack' : '.manifest'),
  perFile: (job, options) => {
    const { force, quiet } = options;
    const output = outputOf(options);
    return withSource(
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
    );
  },
});
