import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { whenAborted } from '../../../formats/aborting.ts';
import { EnvironmentError, UsageError } from '../../../formats/errors.ts';
import { chunksOf } from '../../../formats/files/source.ts';
import { spawnOther } from '../../../formats/world/programs.ts';
import { type DonorMachine, donorScript, readDonorMachine } from '../../../src/saved-state/adapt/donor-script.ts';
import { SETTINGS_LIMIT } from '../../../src/saved-state/machine-facts/settings.ts';
import { verify } from '../../../src/saved-state/verify/verify.ts';
import { readSmallText, withInput } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FORCE, outputTo } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { line, lines, NO_TEXT } from '../../terminal/terminal-text.ts';
import { settingsFileOf } from '../states/check-machine.ts';

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('machine', {
      type: 'string',
      demandOption: true,
      describe: 'Settings file of the machine (NAME.vbox), or its folder',
    })
    .option('output', outputTo('File for the donor. Default: NAME-donor.sav'))
    .option('run', { type: 'boolean', default: false, describe: 'Run the commands here, with sh and VBoxManage' })
    .option('force', FORCE)
    .example('$0 donor "VirtualBox VMs/box"', 'Commands that save the machine right after power-on')
    .epilogue(
      'The machine runs for some ten milliseconds in its firmware, with no device to boot from. If the machine has ' +
        'a saved state, this state is moved to NAME-kept.sav, the file to adapt.',
    );
type Options = OptionsOf<typeof builder>;

export const donorCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('donor', [options.machine], options, (job) => runDonor(job, options));
});

async function runDonor(job: Job, { output, run, force, quiet }: Options): Promise<Outcome> {
  const settings = settingsFileOf(job.file);
  const machine = readDonorMachine(await readSmallText(settings, SETTINGS_LIMIT), settings);
  const donor = output ?? `${machine.id}-donor.sav`;
  const kept = machine.stateFile === undefined ? undefined : `${machine.id}-kept.sav`;
  if (!run) {
    const script = donorScript(machine, donor, kept ?? '');
    return {
      exitCode: ExitCode.OK,
      result: { script },
      text: lines(
        script
          .trimEnd()
          .split('\n')
          .map((own) => line`${own}`),
      ),
    };
  }
  if (donor === '-') throw new UsageError('usage', 'Cannot run: the donor goes into a file, --output FILE');
  const size = await withOutput(donor, { force }, async (sink) => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-donor-'));
    try {
      const file = join(folder, 'donor.sav');
      await runScript(machine, file, kept ?? '', job.signal);
      return { keep: true, value: await copyWhole(file, sink) };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  const text = [line`${donor}: a state of ${machine.id} right after power-on, ${size} bytes`];
  if (kept !== undefined) text.push(line`${kept}: the state that the machine had; adapt it with --donor ${donor}`);
  return {
    exitCode: ExitCode.OK,
    result: { donor, size, kept },
    text: quiet ? NO_TEXT : lines(text),
  };
}

/** @throws EnvironmentError, with the last words of the script; UsageError `already-exists` */
async function runScript(machine: DonorMachine, donor: string, kept: string, signal: AbortSignal): Promise<void> {
  const { id } = machine;
  if (machine.isLeft && machine.stateFile !== undefined)
    throw new UsageError(
      'already-exists',
      `Cannot make a donor of ${id}: an earlier run was killed, and the machine's state may be that of the run; ` +
        `VBoxManage discardstate ${id} drops it, and VBoxManage setextradata ${id} savkit/donor says that it is the ` +
        "machine's own",
    );
  if (machine.stateFile !== undefined && existsSync(kept))
    throw new UsageError('already-exists', `Cannot keep the state of the machine: ${kept} is there already`);
  const child = spawnOther('sh', ['-c', donorScript(machine, donor, kept)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (data) => {
    words = (words + data).slice(-LAST_WORDS);
  });
  // On SIGTERM the script restores the machine.
  const end = () => child.kill('SIGTERM');
  const forget = whenAborted(signal, end);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (error) => reject(EnvironmentError.from(error, 'run sh')));
      child.once('close', resolve);
    });
    if (code !== 0)
      throw new EnvironmentError(
        'no-donor',
        `Cannot make a donor of ${machine.id}: ${words.trim().split('\n').at(-1) || `the commands ended with ${code}`}`,
      );
  } finally {
    forget();
  }
}
const LAST_WORDS = 4096;

async function copyWhole(file: string, sink: { write(bytes: Uint8Array): Promise<void> }): Promise<number> {
  return withInput(file, async (source) => {
    const { verdict } = await verify(source);
    if (verdict !== 'whole')
      throw new EnvironmentError('no-donor', 'Cannot make a donor: the state that VirtualBox wrote is not whole');
    for await (const piece of chunksOf(source)) await sink.write(piece);
    return source.size ?? 0;
  });
}
