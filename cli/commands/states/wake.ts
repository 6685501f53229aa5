import { basename } from 'node:path';
import type { Argv } from 'yargs';
import { whenAborted } from '../../../formats/aborting.ts';
import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type Woken, wake, wakeAndRun } from '../../../migrations/wake/wake.ts';
import type { WakingQemu } from '../../../migrations/wake/waking-qemu.ts';
import { bringBack } from '../../../src/wake/back/back.ts';
import { type PreparedWake, prepareWake } from '../../../src/wake/prepare.ts';
import { checkKeepFile, KEEP_IN_TEXT, keepFile } from '../../control/keep-file.ts';
import { WokenCharge } from '../../guests/woken-charge.ts';
import { diskFormats } from '../../io/disk-format.ts';
import { withSource } from '../../io/input.ts';
import { tryOutput, withOutput } from '../../io/output.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FORCE, outputTo } from '../../parsing/shared-options.ts';
import { wakeOptionsOf, withWakeOptions } from '../../parsing/wake-options.ts';
import { custody } from '../../process/custody.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { tell } from '../../terminal/print.ts';
import { line, NO_TEXT } from '../../terminal/terminal-text.ts';
import { broughtBackText, refusalsText, wakeText } from '../../text/wake-text.ts';

const builder = (argv: Argv) =>
  withWakeOptions(withCommonOptions(argv))
    .positional('state', {
      type: 'string',
      demandOption: true,
      describe: 'Saved state of VirtualBox, with --back of QEMU; - for stdin',
    })
    .option('output', outputTo('File to write for QEMU'))
    .option('run', {
      type: 'boolean',
      default: false,
      describe: 'Start QEMU with the state, and continue the machine',
    })
    .option('proof', {
      type: 'boolean',
      default: true,
      describe: 'Compare all memory and registers of the stopped QEMU with the state (--no-proof: do not)',
    })
    .option('qemu', {
      type: 'string',
      requiresArg: true,
      default: 'qemu-system-x86_64',
      describe: 'Program of the QEMU that is to run the machine',
    })
    .option('qemu-options', {
      type: 'string',
      requiresArg: true,
      describe: 'With --run: more options for QEMU, as --qemu-options="-display gtk"; default: "-display none"',
    })
    .option('keep-in', {
      type: 'string',
      requiresArg: true,
      describe: `With --run: ${KEEP_IN_TEXT.charAt(0).toLowerCase()}${KEEP_IN_TEXT.slice(1)}`,
    })
    .option('back', {
      type: 'boolean',
      default: false,
      describe: 'The other way: the state is one of a stopped QEMU, and becomes one of VirtualBox',
    })
    .option('like', {
      type: 'string',
      requiresArg: true,
      describe: 'With --back: state of a machine of VirtualBox with the same devices',
    })
    .option('force', FORCE)
    .example('$0 wake old.sav --disk ide0:0=disk.vdi -o machine.qemu', 'Write it for QEMU, and print the command line')
    .example(
      '$0 wake old.sav --disk ide0:0=disk.vdi --run --qemu-options="-display gtk"',
      'Continue the machine in QEMU',
    )
    .example('$0 wake --back machine.qemu --like template.sav -o new.sav', 'A stopped QEMU machine for VirtualBox')
    .epilogue(
      'If the state is refused, nothing is written: exit code 5, with reasons and remedies. With -o the ' +
        'disks are only read; with --run the guest writes to them.',
    );
type Options = OptionsOf<typeof builder>;

export const wakeCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('wake', [options.state], options, (job) =>
    withSource(job, (source) => (options.back ? runBack(source, job, options) : runWake(source, job, options))),
  );
});

async function runBack(source: ByteSource, { file, signal }: Job, options: Options): Promise<Outcome> {
  const { output, like, force } = options;
  if (output === undefined || like === undefined)
    throw new UsageError('usage', 'Cannot bring back: expected --like STATE and --output FILE');
  return withSource({ file: like }, (template) =>
    withOutput(output, { force, inPlaceOf: source.name }, async (sink) => {
      const result = await bringBack(source, template, sink, signal);
      const text = output === '-' || options.quiet ? NO_TEXT : broughtBackText(file, output, result);
      return { keep: true, value: { exitCode: ExitCode.OK, result, text } };
    }),
  );
}

async function runWake(source: ByteSource, job: Job, options: Options): Promise<Outcome> {
  const { output, run, force } = options;
  if ((output === undefined) === !run)
    throw new UsageError('usage', 'Cannot wake: expected either --output FILE or --run');
  const { file, signal, progress } = job;
  const wakeOptions = wakeOptionsOf(options);
  const prepared = await prepareWake(source, wakeOptions, await diskFormats(wakeOptions.disks), {
    signal,
    onProgress: (offset) => progress.update(offset, source.size, 'reading'),
  });
  const { refusals } = prepared;
  if (refusals.length > 0)
    return { exitCode: ExitCode.UNSUPPORTED, result: { refusals }, text: refusalsText(file, refusals) };
  const qemu = {
    program: options.qemu,
    ...{ proof: options.proof, signal },
    onWords: (words: string) => tell(line`${words.trimEnd()}`),
    onProgress: (doing: string, done: number, total?: number) => progress.update(done, total, doing),
  };
  if (output === undefined) return runMachine(source, job, prepared, options, qemu);
  await tryOutput(output, { force });
  return withOutput(output, { force, inPlaceOf: source.name }, async (sink) => {
    const woken = await wake(source, sink, prepared, qemu);
    const keep = woken.proof?.holds ?? true;
    return { keep, value: outcomeOf(file, prepared, woken, options, keep) };
  });
}

async function runMachine(
  source: ByteSource,
  { file, progress, signal }: Job,
  prepared: PreparedWake,
  options: Options,
  qemu: Parameters<typeof wakeAndRun>[3],
): Promise<Outcome> {
  const more = (options.qemuOptions ?? '-display none').split(/\s+/).filter((word) => word !== '');
  await checkKeepFile(options);
  const keep = keepFile(basename(file, '.sav'), options, '.qemu');
  let release = () => {};
  const onReady = (machine: WakingQemu, { arguments: own }: Woken) => {
    progress.stop();
    release = custody.take(new WokenCharge(machine, keep, [options.qemu, ...own, ...more]));
  };
  try {
    const { woken, process: machine } = await wakeAndRun(source, prepared, more, { ...qemu, onReady });
    const forget = whenAborted(signal, () => void machine.quit());
    await machine.ended.finally(forget);
    if (machine.fault && !signal.aborted) throw machine.fault;
    return outcomeOf(file, prepared, woken, options, true);
  } finally {
    release();
  }
}

function outcomeOf(file: string, prepared: PreparedWake, woken: Woken, options: Options, keep: boolean): Outcome {
  const notices = woken.hostTscHz === undefined ? prepared.notices : prepared.noticesAt(woken.hostTscHz);
  const commandLine = [options.qemu, ...woken.arguments];
  const result = {
    ...{ machine: woken.machine, qemu: woken.qemu, commandLine, notices },
    proof: woken.proof,
  };
  const text = options.output === '-' || options.quiet ? NO_TEXT : wakeText(file, options.output, result);
  return { exitCode: keep ? ExitCode.OK : ExitCode.UNSUPPORTED, result, text };
}
