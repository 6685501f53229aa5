import type { Argv } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { PAGE_TYPE_NUMBERINGS } from '../../../formats/pgm/old-ranges.ts';
import { CONTAINER_FORMATS } from '../../../formats/ssm/container.ts';
import { COMPRESSIONS } from '../../../formats/ssm/writing/container-writer.ts';
import {
  type ConvertReport,
  type ConvertRun,
  convert,
  prepareConversion,
} from '../../../src/saved-state/convert/convert.ts';
import { familyOf } from '../../../src/saved-state/families/read-state.ts';
import { deriveLayout, printLayout } from '../../../src/saved-state/layout/machine-layout.ts';
import { QEMU_FORMS } from '../../../src/saved-state/qemu-convert/forms.ts';
import type { StateFamily } from '../../../src/saved-state/reading/families.ts';
import { walkState } from '../../../src/saved-state/reading/walk.ts';
import { withSource } from '../../io/input.ts';
import { layoutFrom } from '../../io/layout.ts';
import { withOutput } from '../../io/output.ts';
import { ramPaths } from '../../io/ram-files.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptionsOf } from '../../many/file-command.ts';
import { withInto, withManyFiles } from '../../many/options.ts';
import { outputOf, takeOutput } from '../../many/outputs.ts';
import { expectOptionsOf } from '../../parsing/family-options.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { FORCE, filesOf, LAYOUT, LIKE, PROOF } from '../../parsing/shared-options.ts';
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
import { indent, jsonText, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';
import { proofLines } from '../../text/proof-text.ts';
import { QEMU_DEFAULTS, runQemuConvert } from '../qemu/convert-qemu.ts';

/** Defaults of the options that exist only for states of VirtualBox, or only for those of QEMU. */
const OWN_OPTIONS = {
  virtualbox: {
    container: undefined,
    pgm: undefined,
    flatten: false,
    compression: 'lzf',
    recompress: false,
    allowLoss: false,
    layout: undefined,
    like: undefined,
    pageTypes: 'original',
    printLayout: false,
  },
  qemu: QEMU_DEFAULTS,
};

const CONVERTERS: Record<StateFamily['name'], (source: ByteSource, job: Job, options: Options) => Promise<Outcome>> = {
  virtualbox: runConvert,
  qemu: runQemuConvert,
};

const builder = (argv: Argv) =>
  withLists(withInto(withManyFiles(withRamFile(withThreads(withCommonOptions(argv))))))
    .positional(
      'files',
      filesOf('Saved state and the file to write, - for stdin and stdout; with --into any number of states'),
    )
    .option('container', {
      type: 'string',
      choices: CONTAINER_FORMATS,
      describe: 'Container format; default: that of the input',
    })
    .option('pgm', {
      type: 'number',
      requiresArg: true,
      describe: 'Version of the memory unit, 6 to 14; default: that of the input',
    })
    .option('flatten', {
      type: 'boolean',
      default: false,
      describe: 'Merge the passes of a live save into one plain state',
    })
    .option('compression', {
      choices: COMPRESSIONS,
      default: 'lzf' as const,
      describe: 'Compression of blocks that cannot be copied as they are',
    })
    .option('recompress', {
      type: 'boolean',
      default: false,
      describe: 'Compress all pages again, also those that could be copied as they are',
    })
    .option('allow-loss', {
      type: 'boolean',
      default: false,
      describe: 'Go on where the target cannot hold some data, and list these data',
    })
    .option('layout', LAYOUT)
    .option('like', LIKE)
    .option('page-types', {
      type: 'string',
      choices: PAGE_TYPE_NUMBERINGS,
      default: 'original' as const,
      describe: 'pgm 7 to 9: numbers of page types, as 2.2 and 3.0 wrote them, or as loaders since 4.3 expect them',
    })
    .option('print-layout', {
      type: 'boolean',
      default: false,
      describe: 'Print the layout of the input as far as the input tells it, to be completed by hand',
    })
    .option('to', {
      type: 'string',
      choices: QEMU_FORMS,
      describe: 'States of QEMU: form to write; default: that of the input, plain for a snapshot',
    })
    .option('description', {
      type: 'boolean',
      default: true,
      describe: 'States of QEMU: keep the description of the sections',
    })
    .option('xml', {
      type: 'string',
      requiresArg: true,
      describe: "States of QEMU: file with libvirt's settings of the domain, for a save image (virsh dumpxml)",
    })
    .option('ram-out', {
      type: 'string',
      requiresArg: true,
      describe: 'States of QEMU: write the RAM to this file, and leave it out of the state (x-ignore-shared)',
    })
    .option('dry-run', { type: 'boolean', default: false, describe: 'Say what would be done, write nothing' })
    .option('proof', PROOF)
    .option('force', FORCE)
    .example('$0 convert live.sav plain.sav --flatten', 'One plain state of a live save')
    .example('$0 convert machine.sav older.sav --pgm 11', 'For VirtualBox 3.1')
    .example(
      '$0 convert older.sav newer.sav --container 2.0 --pgm 14',
      'A state of VirtualBox 3.0 for readers of today',
    )
    .example('$0 convert disk.qcow2:snap2 snapshot.state', 'A snapshot of QEMU as a state in a file')
    .example('$0 convert domain.save mapped.state --to mapped-ram', "libvirt's save image for a QEMU without libvirt")
    .epilogue(
      "Units other than pgm are carried over byte for byte, and the header's VirtualBox version is kept: " +
        'device loaders depend on it.',
    );
type Options = FileOptionsOf<typeof builder>;

export const convertCommand = fileCommand({
  name: 'convert',
  usage: '<input> [output]',
  builder,
  settle: (options) => {
    if (!options.dryRun && !options.printLayout) takeOutput(options, 'savkit convert <input> [output]');
    else if (options.into === undefined) options.files = options.files.slice(0, 1);
  },
  perFile: (job, options) => {
    const output = options.dryRun || options.printLayout ? undefined : outputOf(options);
    return noted(
      job,
      options,
      { command: 'convert', output, others: ramPaths(options), besides: [options.ramOut] },
      () => withSource(job, (source) => runByFamily(source, job, options), { ram: options.ram }),
    );
  },
});

async function runByFamily(whole: ByteSource, job: Job, options: Options): Promise<Outcome> {
  const { family, source } = await familyOf(whole);
  expectOptionsOf(family, options, OWN_OPTIONS);
  return CONVERTERS[family.name](source, job, options);
}

async function runConvert(source: ByteSource, job: Job, options: Options): Promise<Outcome> {
  if (options.printLayout) return printedLayout(source);
  const run: ConvertRun = {
    container: options.container,
    pgm: options.pgm,
    ...(await layoutFrom(options)),
    pageTypes: options.pageTypes,
    flatten: options.flatten,
    compression: options.compression,
    recompress: options.recompress,
    allowLoss: options.allowLoss,
    proof: options.proof,
    ...threadsOf(options),
    ...stepsOf(job, source),
  };
  if (options.dryRun) {
    const { report } = await prepareConversion(source, run);
    return {
      exitCode: ExitCode.OK,
      result: report,
      text: lines([reportText(report), 'Nothing was written.']),
    };
  }
  const output = outputOf(options);
  return withOutput(
    output,
    { force: options.force, inPlaceOf: options.proof ? source.name : undefined },
    async (sink) => {
      const report = await convert(source, sink, run);
      const exitCode = report.proof && !report.proof.equal ? ExitCode.BAD_FILE : ExitCode.OK;
      const text = output === '-' || options.quiet ? NO_TEXT : line`${output}: ${reportText(report)}`;
      return { keep: exitCode === ExitCode.OK, value: { exitCode, result: report, text } };
    },
  );
}

async function printedLayout(source: ByteSource): Promise<Outcome> {
  const { layout, missing } = deriveLayout(await walkState(source, { skipCrc: true }));
  return {
    exitCode: missing.length > 0 ? ExitCode.PARTLY : ExitCode.OK,
    result: { layout, missing },
    text: jsonText(printLayout(layout)),
  };
}

function reportText({ from, to, losses, assumptions, proof }: ConvertReport): TerminalText {
  const state = ({ container, pgm, live }: ConvertReport['from']) =>
    `V${container}${pgm === undefined ? '' : `, pgm ${pgm}`}${live ? ', live' : ''}`;
  const rest = [
    line`${state(from)} → ${state(to)}`,
    ...losses.map((loss) => line`lost: ${loss}`),
    ...assumptions.map((assumption) => line`assumed: ${assumption}`),
  ];
  if (proof) rest.push(...proofLines(proof, `${countText(proof.units, 'unit')} byte for byte, registers, heads`));
  return lines([rest[0], ...rest.slice(1).map(indent)]);
}
