import { countText } from '../../../formats/amounts.ts';
import { UsageError } from '../../../formats/errors.ts';
import type { ReadableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import {
  convertQemu,
  prepareQemuConversion,
  type QemuConvertReport,
  type QemuConvertRun,
} from '../../../src/saved-state/qemu-convert/convert-qemu.ts';
import type { QemuForm } from '../../../src/saved-state/qemu-convert/forms.ts';
import { readSmallText } from '../../io/input.ts';
import { openOutput, withOutput } from '../../io/output.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, stepsOf } from '../../process/run-command.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';
import { proofLines } from '../../text/proof-text.ts';

/** Options of `convert` for states of QEMU. */
export interface QemuConvertCommand {
  output?: string;
  to?: QemuForm;
  description: boolean;
  xml?: string;
  ramOut?: string;
  dryRun: boolean;
  proof: boolean;
  force: boolean;
  quiet: boolean;
}

/** Limit for settings of a domain, which take some KiB. */
const XML_LIMIT = MIB;

/** Defaults of options for states of QEMU. */
export const QEMU_DEFAULTS = { to: undefined, description: true, xml: undefined, ram: undefined, ramOut: undefined };

export async function runQemuConvert(source: ByteSource, job: Job, options: QemuConvertCommand): Promise<Outcome> {
  const { output, ramOut, force } = options;
  const run: QemuConvertRun = {
    to: options.to,
    xml: options.xml === undefined ? undefined : await readSmallText(options.xml, XML_LIMIT),
    description: options.description,
    leavesRamOut: ramOut !== undefined,
    heals: force,
    proof: options.proof,
    ...stepsOf(job, source),
  };
  if (options.dryRun) {
    const { report } = await prepareQemuConversion(source, run);
    return { exitCode: ExitCode.OK, result: report, text: lines([reportText(report), 'Nothing was written.']) };
  }
  if (output === undefined) throw new UsageError('usage', 'Cannot convert: expected an output file or --dry-run');
  if (ramOut === '-') throw new UsageError('usage', 'Cannot write RAM to stdout: it has holes, so it must be a file');
  const convertTo = async (sink: ReadableSink, ramSink?: ReadableSink) => {
    const report = await convertQemu(source, sink, { ...run, ramSink });
    const exitCode = report.proof && !report.proof.equal ? ExitCode.BAD_FILE : ExitCode.OK;
    const text = output === '-' || options.quiet ? NO_TEXT : line`${output}: ${reportText(report)}`;
    return { keep: exitCode === ExitCode.OK, value: { exitCode, result: report, text } };
  };
  const place = { force, inPlaceOf: options.proof ? source.name : undefined };
  if (ramOut === undefined) return withOutput(output, place, convertTo);
  const ramSink = await openOutput(ramOut, { force });
  try {
    return await withOutput(output, place, async (sink) => {
      const written = await convertTo(sink, ramSink);
      if (written.keep) await ramSink.commit();
      return written;
    });
  } finally {
    await ramSink.abort();
  }
}

function reportText({ machine, from, to, notes, proof }: QemuConvertReport): TerminalText {
  const form = ({ form, description }: QemuConvertReport['from']) =>
    `${form === 'qcow2' ? 'qcow2 snapshot' : form}${description ? '' : ' without description'}`;
  const { length } = to.capabilities;
  const needed =
    length > 0 ? `; loads with ${length > 1 ? 'capabilities' : 'capability'} ${to.capabilities.join(', ')}` : '';
  const rest = [
    ...notes.map((note) => line`${note}`),
    ...(proof ? proofLines(proof, `${countText(proof.units, 'section')} byte for byte, machine type, run state`) : []),
  ];
  const head = line`${form(from)} → ${form(to)}, ${machine ?? 'machine type not told'}${needed}`;
  return lines([head, ...rest.map(indent)]);
}
