import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { makeManifest } from '../../../src/saved-state/manifest/manifest.ts';
import { encodeManifest, MANIFEST_ENCODINGS } from '../../../src/saved-state/manifest/manifest-file.ts';
import { withSource } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { ramPaths } from '../../io/ram-files.ts';
import { signatureOf, signWithSsh } from '../../io/ssh-signature.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptionsOf } from '../../many/file-command.ts';
import { withInto, withManyFiles } from '../../many/options.ts';
import { expectOneOutput, outputOf } from '../../many/outputs.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { FILES, FORCE, OUTPUT } from '../../parsing/shared-options.ts';
import { noted, withLists } from '../../process/custody-log.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import {
  type Job,
  type Outcome,
  stepsOf,
  threadsOf,
  withCommonOptions,
  withThreads,
} from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { line, NO_TEXT } from '../../terminal/terminal-text.ts';

const builder = (argv: Argv) =>
  withLists(withInto(withManyFiles(withRamFile(withThreads(withCommonOptions(argv))))))
    .positional('files', FILES)
    .option('output', OUTPUT)
    .option('format', {
      choices: MANIFEST_ENCODINGS,
      describe: 'Encoding; default: json, or msgpack for a file NAME.msgpack',
    })
    .option('sign', {
      type: 'string',
      requiresArg: true,
      describe: 'Sign the manifest with this SSH key, into a file beside it that ends in .sig',
    })
    .option('force', FORCE)
    .example('$0 manifest machine.sav -o machine.manifest', 'While the state is good')
    .example(
      '$0 manifest machine.sav -o signed.manifest --sign ~/.ssh/id_ed25519',
      'Signed, so that its author can be proved',
    )
    .example('$0 manifest -r states --into manifests', 'Of each state in a folder')
    .example('$0 manifest -r states --into manifests --sums SHA256SUMS --custody custody.ndjson', 'For an archive')
    .example('$0 verify --manifest machine.manifest machine.sav', 'Later: which page, unit or field has changed?')
    .epilogue('A manifest holds hashes and the decoded registers, no memory. A damaged state gets none.');
type Options = FileOptionsOf<typeof builder>;

export const manifestCommand = fileCommand({
  name: 'manifest',
  usage: '<file>',
  builder,
  settle: (options) => {
    expectOneOutput(options);
    if (options.sign !== undefined && options.output === '-')
      throw new UsageError('bad-combination', '--sign writes a file beside the manifest: expected a file as --output');
  },
  extension: ({ format }) => (format === 'msgpack' ? '.msgpack' : '.manifest'),
  perFile: (job, options) => {
    const output = outputOf(options);
    const besides = options.sign === undefined ? [] : [signatureOf(output)];
    return noted(job, options, { command: 'manifest', output, others: ramPaths(options), besides }, () =>
      withSource(job, (source) => runManifest(source, job, options), options),
    );
  },
});

async function runManifest(source: ByteSource, job: Job, options: Options): Promise<Outcome> {
  const { force, quiet } = options;
  const output = outputOf(options);
  return withOutput(output, { force }, async (sink) => {
    const manifest = await makeManifest(source, { ...threadsOf(options), ...stepsOf(job, source) });
    const encoding = options.format ?? (output.endsWith('.msgpack') ? 'msgpack' : 'json');
    const bytes = encodeManifest(manifest, encoding);
    await sink.write(bytes);
    const signature = options.sign === undefined ? undefined : await signedBeside(output, bytes, options);
    const { file, units, memory } = manifest;
    const { sha256 } = file;
    const result = {
      ...{ sha256, memoryRoot: memory.root, units: units.length },
      ...{ encoding, size: bytes.length, signature },
    };
    const text =
      quiet || output === '-'
        ? NO_TEXT
        : line`${output}: ${sizeText(bytes.length)}; memory ${memory.root}, file ${sha256}`;
    return { keep: true, value: { exitCode: ExitCode.OK, result, text } };
  });
}

/** Writes the signature of a manifest. @returns the signature's path */
function signedBeside(output: string, bytes: Uint8Array, { sign = '', force }: Options): Promise<string> {
  const place = signatureOf(output);
  return withOutput(place, { force }, async (sink) => {
    await sink.write(await signWithSsh(bytes, sign));
    return { keep: true, value: place };
  });
}
