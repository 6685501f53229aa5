import type { Argv } from 'yargs';
import { hex, UsageError } from '../../../formats/errors.ts';
import { MIB } from '../../../formats/sizes.ts';
import { parseBigNumber, parseNumber } from '../../../formats/values/number-text.ts';
import type { Peeked } from '../../../src/machine/edit.ts';
import type { OpenedMachine } from '../../../src/machine/opened-machine.ts';
import { hexLines } from '../../../src/saved-state/describe/hex-lines.ts';
import { expectStdout } from '../../io/expect-stdout.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { FILE } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { withMachine } from '../../process/load-machine.ts';
import { withMemoryFlaws } from '../../process/memory-flaws.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { showBytes, tell } from '../../terminal/print.ts';
import { line, NO_TEXT, ownLines } from '../../terminal/terminal-text.ts';

/** Maximum number of bytes that are shown. `extract` writes whole ranges. */
const MAX_LENGTH = 16 * MIB;

const builder = (argv: Argv) =>
  withRamFile(withCommonOptions(argv))
    .positional('file', FILE)
    .option('at', {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'Guest-physical address; with --virt a virtual one',
    })
    .option('len', { type: 'string', default: '256', requiresArg: true, describe: 'Number of bytes' })
    .option('raw', { type: 'boolean', default: false, describe: 'Write the bytes themselves, not a dump' })
    .option('virt', {
      type: 'boolean',
      default: false,
      describe: 'The address is virtual: it is translated by the page tables of a CPU',
    })
    .option('cpu', {
      type: 'number',
      default: 0,
      requiresArg: true,
      describe: 'With --virt: number of the CPU whose page tables are used',
    })
    .example('$0 peek machine.sav --at 0x7c00 --len 512', 'The boot sector, where the BIOS put it')
    .example('$0 peek machine.sav --at 0xf0000 --len 64K --raw | strings', 'Words in the BIOS')
    .example('$0 peek machine.sav --virt --at 0xffffffff80000000', "Memory of the guest's kernel")
    .epilogue(
      'Memory is shown as a device reads it: RAM, ROM or its shadow, mapped device memory. For files of any ' +
        'size: savkit extract.',
    );
type Options = OptionsOf<typeof builder>;

export const peekCommand = command(builder, async (options) => {
  process.exitCode = await runCommand(
    'peek',
    [options.file],
    options.raw ? { ...options, output: '-' } : options,
    (job) => runPeek(job, options),
  );
});

function runPeek(job: Job, options: Options): Promise<Outcome> {
  const length = parseNumber(options.len);
  if (length < 1 || length > MAX_LENGTH)
    throw new UsageError('bad-length', `Cannot show ${length} bytes: expected 1 to ${MAX_LENGTH}`);
  return withMachine(job, options, async (machine) => {
    const { at, bytes, unassigned } = options.virt
      ? peekVirtual(machine, options, length)
      : peekPhysical(machine, options, length);
    const gaps = unassigned.map(({ start, end }) => ({ start: hex(start), end: hex(end) }));
    const result = { at: hex(at), length, hex: Buffer.from(bytes).toString('hex'), unassigned: gaps };
    if (!options.quiet && !options.json) {
      for (const { start, end } of gaps) tell(line`There is no memory from ${start} to ${end}: it reads as ff`);
    }
    if (options.raw) {
      expectStdout();
      await showBytes(bytes);
    }
    const text = options.raw ? NO_TEXT : ownLines(hexLines(bytes, at));
    return withMemoryFlaws({ exitCode: ExitCode.OK, result, text }, machine.flaws, options);
  });
}

interface Shown extends Peeked {
  at: number | bigint;
}

function peekPhysical(machine: OpenedMachine, options: Options, length: number): Shown {
  const at = parseNumber(options.at);
  return { at, ...machine.peek(at, length) };
}

/** @throws UsageError `not-mapped` */
function peekVirtual(machine: OpenedMachine, options: Options, length: number): Shown {
  const at = parseBigNumber(options.at);
  const bytes = new Uint8Array(length);
  machine.space(options.cpu).read(at, bytes);
  return { at, bytes, unassigned: [] };
}
