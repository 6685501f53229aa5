import type { Argv } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { hex, UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { parseBytes, parseNumber } from '../../../formats/values/number-text.ts';
import { type AddressRange, poke } from '../../../src/machine/edit.ts';
import { type EditProof, proveEdit } from '../../../src/machine/edit-proof.ts';
import { loadState } from '../../../src/machine/load.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { saveState } from '../../../src/machine/save.ts';
import { readSmallFile, withSource } from '../../io/input.ts';
import { type Output, withOutput } from '../../io/output.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FILE, FORCE, outputTo, PROOF } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { bad, good } from '../../terminal/styles.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';

/** Maximum size, in bytes, of one write, which is held in memory. */
const MAX_LENGTH = 256 * MIB;

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('state', FILE)
    .option('output', { ...outputTo('State to write; - for stdout'), demandOption: true })
    .option('at', { type: 'string', demandOption: true, requiresArg: true, describe: 'Guest-physical address' })
    .option('hex', { type: 'string', requiresArg: true, describe: 'The bytes in hexadecimal; blanks are ignored' })
    .option('file', { type: 'string', requiresArg: true, describe: 'In place of --hex: file with the bytes' })
    .option('proof', PROOF)
    .option('force', FORCE)
    .example('$0 poke machine.sav --at 0x1000 --hex "de ad be ef" -o new.sav', 'Four bytes')
    .example('$0 poke machine.sav --at 1M --file kernel.bin -o new.sav', 'A whole file')
    .epilogue('Container, version and all units but memory stay as they are; the passes of a live save become one.');
type Options = OptionsOf<typeof builder>;

export const pokeCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('poke', [options.state], options, (job) => runPoke(job, options));
});

async function runPoke(job: Job, options: Options): Promise<Outcome> {
  const at = parseNumber(options.at);
  const bytes = await bytesOf(options);
  return withSource(job, (source) =>
    withOutput(
      options.output,
      { force: options.force, inPlaceOf: options.proof ? source.name : undefined },
      async (sink) => {
        const { signal, progress } = job;
        const machine = await loadState(source, {
          ...stepsOf(job, source),
        });
        poke(machine.memory, at, bytes);
        await saveState(machine, sink, {
          leavesOutAgain: true,
          signal,
          onProgress: (done, total) => progress.update(done, total, 'writing'),
        });
        const written = { start: at, end: at + bytes.length };
        const proof = options.proof ? await proved(source, sink, machine, written, signal) : undefined;
        const isGood = proof?.holds ?? true;
        const exitCode = isGood ? ExitCode.OK : ExitCode.BAD_FILE;
        const result = { output: options.output, at: hex(at), length: bytes.length, proof: proof ?? null };
        const text = options.quiet || options.output === '-' ? NO_TEXT : reportText(options.output, written, proof);
        return { keep: isGood, value: { exitCode, result, text } };
      },
    ),
  );
}

async function bytesOf({ hex: digits, file }: Options): Promise<Uint8Array> {
  if ((digits === undefined) === (file === undefined))
    throw new UsageError('bad-combination', 'Cannot write: give the bytes either by --hex or by --file');
  const bytes = digits === undefined ? await readSmallFile(file ?? '', MAX_LENGTH) : parseBytes(digits);
  if (bytes.length === 0) throw new UsageError('bad-length', 'Cannot write: there are no bytes');
  return bytes;
}

async function proved(
  source: ByteSource,
  sink: Output,
  machine: Machine,
  written: AddressRange,
  signal: AbortSignal,
): Promise<EditProof> {
  const result = await sink.readBack();
  try {
    return await proveEdit(source, result, machine, [written], signal);
  } finally {
    await result.close();
  }
}

function reportText(output: string, { start, end }: AddressRange, proof: EditProof | undefined): TerminalText {
  const written = line`${output}: ${countText(end - start, 'byte')} written at ${hex(start)}`;
  if (!proof) return written;
  if (proof.holds) {
    const pages = countText(proof.changedPages, 'page');
    const differ = proof.changedPages === 1 ? 'differs' : 'differ';
    return lines([written, indent(line`${good('proved')}: ${pages} ${differ} from the input, nothing else does`)]);
  }
  return lines([written, bad('NOT AS EXPECTED, the output was removed'), ...proof.differences.map(indent)]);
}
