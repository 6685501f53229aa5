import { createHash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import type { Argv } from 'yargs';
import { hex, UsageError } from '../../../formats/errors.ts';
import { hashedSource } from '../../../formats/files/hashed-source.ts';
import type { ByteSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import {
  type CoreReport,
  type ExtractOptions,
  type ExtractReport,
  extract,
} from '../../../src/saved-state/extract/extract.ts';
import { extractToStream } from '../../../src/saved-state/extract/extract-stream.ts';
import { IMAGE_FORMATS } from '../../../src/saved-state/extract/plan-extraction.ts';
import type { Finding } from '../../../src/saved-state/reading/findings.ts';
import { withSource } from '../../io/input.ts';
import { type Output, withOutput } from '../../io/output.ts';
import { ramPaths } from '../../io/ram-files.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptionsOf } from '../../many/file-command.ts';
import { withInto, withManyFiles } from '../../many/options.ts';
import { expectOneOutput, outputOf } from '../../many/outputs.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { parseRange } from '../../parsing/range.ts';
import { FILES, FORCE, OUTPUT, RANGE } from '../../parsing/shared-options.ts';
import { noted, withLists } from '../../process/custody-log.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { memoryFindings, memoryNotes } from '../../process/memory-flaws.ts';
import {
  isForPrograms,
  type Job,
  type Outcome,
  threadsOf,
  withCommonOptions,
  withThreads,
} from '../../process/run-command.ts';
import { tell } from '../../terminal/print.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';

const builder = (argv: Argv) =>
  withLists(withInto(withManyFiles(withRamFile(withThreads(withCommonOptions(argv))))))
    .positional('files', FILES)
    .option('output', OUTPUT)
    .option('format', {
      choices: IMAGE_FORMATS,
      default: 'raw' as const,
      describe:
        'raw: flat by address; sparse: the same with holes for zeros; elf: core for gdb, crash, drgn; ' +
        'vbox-core: core as VirtualBox writes it',
    })
    .option('as-seen', {
      type: 'boolean',
      default: false,
      describe: 'Memory as the guest sees it, with ROM and mapped device memory',
    })
    .option('range', RANGE)
    .option('rom', { type: 'string', requiresArg: true, describe: 'One ROM, by its name in inspect' })
    .option('shadow', { type: 'boolean', default: false, describe: 'With --rom: the RAM that the ROM hides' })
    .option('mmio2', {
      type: 'string',
      requiresArg: true,
      describe: 'One MMIO2 range, by name or device/instance/region',
    })
    .option('unit', {
      type: 'string',
      requiresArg: true,
      describe: 'Decoded payload of a unit: NAME, NAME/INSTANCE or NAME/INSTANCE:PASS',
    })
    .option('force', FORCE)
    .example('$0 extract machine.sav -o memory.raw', 'RAM, flat from address 0')
    .example('$0 extract machine.sav --format elf -o core', 'A core for gdb, crash, drgn, makedumpfile, Volatility')
    .example('$0 extract machine.sav --range 0x100000-0x200000 -o - | xxd | less', 'Look at one MiB')
    .example('$0 extract machine.sav --mmio2 VRam -o vram.bin', 'Video memory')
    .epilogue(
      'Nothing is written before the whole state has been checked; the output appears when it is complete, ' +
        'readable by you only.',
    );
type Options = FileOptionsOf<typeof builder>;

export const extractCommand = fileCommand({
  name: 'extract',
  usage: '<file>',
  builder,
  settle: expectOneOutput,
  extension: extensionOf,
  perFile: (job, options) =>
    noted(job, options, { command: 'extract', output: outputOf(options), others: ramPaths(options) }, () =>
      withSource(job, (source) => runExtract(source, job, options), options),
    ),
});

function runExtract(source: ByteSource, { signal, progress }: Job, options: Options): Promise<Outcome> {
  const settings: ExtractOptions = {
    ...extractOptions(options),
    signal,
    onProgress: (done, step, total = source.size) => progress.update(done, total, step),
  };
  return withOutput(
    outputOf(options),
    { force: options.force },
    async (target) => {
      const report = await extract(source, target, settings);
      return { keep: true, value: outcomeOf(options, report, await factsOf(target, options.json)) };
    },
    (sink) => streamed(sink, options, (to) => extractToStream(source, to, settings)),
  );
}

/** Extension of the outputs in the folder of `--into`. */
function extensionOf({ format, rom, mmio2, unit }: Options): string {
  if (rom !== undefined || mmio2 !== undefined || unit !== undefined) return '.bin';
  return format === 'raw' || format === 'sparse' ? '.raw' : format === 'lime' ? '.lime' : '.core';
}

/** Missing parts of a core and of memory, and uncertain addresses, for programs that read the result. */
function findingsOf(report: ExtractReport): Finding[] {
  const { registersMissing } = report;
  if (registersMissing === undefined) return memoryFindings(report);
  const message = `The core has no registers: ${registersMissing}`;
  const place = { unit: 'cpum', instance: 1 };
  return [{ severity: 'warning', code: 'no-registers', message, place }, ...memoryFindings(report)];
}

/** Facts about the output itself. */
interface WrittenFacts {
  sha256?: string;
  /** Bytes on the disk. */
  allocated: number | null;
}

/** The unit of `st_blocks`, whatever the blocks of the file system are. */
const STAT_BLOCK = 512;

/** @param hash whether to read the output back, and hash it */
async function factsOf(target: Output, hash: boolean): Promise<WrittenFacts> {
  const { blocks } = fstatSync(target.fd);
  const allocated = blocks > 0 ? blocks * STAT_BLOCK : null;
  return hash ? { allocated, sha256: await hashedSource(await target.readBack()).sha256() } : { allocated };
}

/** Extracts to a streamed output. */
async function streamed(
  sink: ByteSink,
  options: Options,
  write: (sink: ByteSink) => Promise<ExtractReport | undefined>,
): Promise<Outcome | undefined> {
  const hash = options.json ? createHash('sha256') : undefined;
  const hashing: ByteSink = {
    write: (bytes) => {
      hash?.update(bytes);
      return sink.write(bytes);
    },
  };
  const report = await write(hashing);
  return report && outcomeOf(options, report, { allocated: null, sha256: hash?.digest('hex') });
}

function outcomeOf(options: Options, report: ExtractReport, written: WrittenFacts): Outcome {
  const { quiet } = options;
  const output = outputOf(options);
  const text = quiet || output === '-' ? NO_TEXT : reportText(output, report, written);
  if (output === '-' && !quiet && !isForPrograms(options)) for (const note of notesOf(report)) tell(note);
  return { exitCode: ExitCode.OK, findings: findingsOf(report), result: reportResult(output, report, written), text };
}

function reportResult(
  output: string,
  { what, format, size, ranges, core }: ExtractReport,
  written: WrittenFacts,
): object {
  const kernel = core?.kernel && {
    release: core.kernel.release,
    offset: core.kernel.offset === undefined ? undefined : hex(core.kernel.offset),
  };
  return {
    output,
    what,
    format,
    size,
    ...written,
    ranges: ranges.map(({ start, end }) => ({ start: hex(start), end: hex(end) })),
    core: core && { kernel, allAddresses: core.allAddresses },
  };
}

function reportText(output: string, report: ExtractReport, { allocated }: WrittenFacts): TerminalText {
  const { what, format, size, core } = report;
  const sparse =
    format === 'sparse' && allocated !== null
      ? line`, ${sizeText(allocated)} on the disk: the rest are holes; cp --sparse=always and rsync -S keep them`
      : line``;
  const text = line`${output}: ${sizeText(size)} (${size} bytes) of ${what}, ${format}${sparse}`;
  return lines([text, ...(core ? [line`  ${coreText(core)}`] : []), ...notesOf(report).map((note) => line`  ${note}`)]);
}

function notesOf(report: ExtractReport): TerminalText[] {
  const { registersMissing } = report;
  const without = registersMissing === undefined ? [] : [line`without registers: ${registersMissing}`];
  return [...without, ...memoryNotes(report)];
}

function coreText({ kernel, allAddresses }: CoreReport): TerminalText {
  const offset = kernel?.offset === undefined ? line`` : line`, kernel offset ${hex(kernel.offset)}`;
  const found = kernel
    ? line`Linux ${kernel.release}${offset}`
    : line`no Linux kernel found: virtual addresses are physical ones, and those of the page tables' upper half`;
  return allAddresses ? found : line`${found}; the smallest mappings are left out`;
}

function extractOptions(options: Options): ExtractOptions {
  const { format, asSeen, range, rom, shadow, mmio2, unit } = options;
  if (shadow && rom === undefined) throw new UsageError('bad-combination', 'Cannot extract: --shadow goes with --rom');
  const parts = [rom, mmio2, unit].filter((part) => part !== undefined);
  if (parts.length > 1)
    throw new UsageError('bad-combination', 'Cannot extract: --rom, --mmio2 and --unit exclude each other');
  if (unit !== undefined && (asSeen || range !== undefined || format !== 'raw'))
    throw new UsageError('bad-combination', 'Cannot extract unit: --unit takes no --format, --range or --as-seen');
  return {
    format,
    asSeen,
    shadow,
    range: range === undefined ? undefined : parseRange(range),
    rom,
    mmio2,
    unit,
    ...threadsOf(options),
  };
}
