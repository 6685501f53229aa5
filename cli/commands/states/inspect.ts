import type { Argv } from 'yargs';
import type { ByteSource } from '../../../formats/files/source.ts';
import { inspectState, type StateInspection } from '../../../src/saved-state/families/inspect-state.ts';
import { foreseeWake } from '../../../src/wake/prepare.ts';
import { withInput, withSource } from '../../io/input.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptionsOf } from '../../many/file-command.ts';
import { withManyFiles } from '../../many/options.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { FILES } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, withCommonOptions } from '../../process/run-command.ts';
import { bad } from '../../terminal/styles.ts';
import { indent, lines, type TerminalText } from '../../terminal/terminal-text.ts';
import { findingText } from '../../text/finding-text.ts';
import { renderState } from '../../text/inspect-text.ts';
import { renderQemuState, renderSnapshots } from '../../text/qemu-inspect-text.ts';
import { renderUnit } from '../../text/unit-text.ts';
import { foreseenText } from '../../text/wake-text.ts';
import { isMachine, runCheckMachine } from './check-machine.ts';

const builder = (argv: Argv) =>
  withManyFiles(withRamFile(withCommonOptions(argv)))
    .positional('files', FILES)
    .option('unit', {
      type: 'string',
      requiresArg: true,
      describe: 'Show this unit (of QEMU: section) field by field, such as apic or cpu/0',
    })
    .option('wake', {
      type: 'boolean',
      default: false,
      describe: 'Tell whether a machine of VirtualBox could go on in QEMU, and with which command line',
    })
    .example('$0 inspect machine.sav', 'Container, units, memory map, registers, pages')
    .example("$0 inspect --json machine.sav | jq '.files[0].result.cpus'", 'Registers for a script')
    .example('$0 inspect machine.sav --unit apic', 'Registers of the interrupt controllers')
    .example('$0 inspect --wake machine.sav', 'Whether the machine could go on in QEMU, and its losses')
    .example('$0 inspect guest.state --unit cpu/0', 'Every field of a device of QEMU')
    .example('$0 inspect "VirtualBox VMs/box"', 'The snapshots of a machine, and the condition of their states')
    .epilogue(
      'Structure and CRCs are checked on the way, compressed data is not; verify does that. Settings of a machine ' +
        '(NAME.vbox), or its folder without -r: the tree of its snapshots, with their states, as with check ' +
        '--machine.',
    );
type Options = FileOptionsOf<typeof builder>;

export const inspectCommand = fileCommand({
  name: 'inspect',
  usage: '<files..>',
  builder,
  perFile: (job, options) => {
    if (options.wake) return withSource(job, (source) => inspectWake(source, job));
    // With -r a folder stands for the files in it.
    const isTree = !options.recursive && options.unit === undefined && isMachine(job.file);
    return isTree ? runCheckMachine(job, {}) : inspectFile(job, options);
  },
});

/** Reports whether a state can be woken, without waking it. */
async function inspectWake(source: ByteSource, { file, signal, progress }: Job): Promise<Outcome> {
  const onProgress = (done: number) => progress.update(done, source.size);
  const foreseen = await foreseeWake(source, { signal, onProgress });
  const { refusals, notices } = foreseen;
  if (refusals.length > 0)
    return { exitCode: ExitCode.OK, result: { refusals }, text: foreseenText(file, foreseen, []) };
  const commandLine = ['qemu-system-x86_64', ...foreseen.arguments({ use: 'disks' })];
  return { exitCode: ExitCode.OK, result: { commandLine, notices }, text: foreseenText(file, foreseen, commandLine) };
}

function inspectFile({ file, signal, progress }: Job, options: Options): Promise<Outcome> {
  return withInput(
    file,
    async (source) => {
      const described = await inspectState(source, {
        unit: options.unit,
        signal,
        onProgress: (done) => progress.update(done, source.size),
      });
      const { description: result, findings } = described;
      const damage = findings.map((finding) => bad(indent(findingText(finding))));
      const text = lines([
        file,
        rendered(described),
        ...(damage.length > 0 ? ['', 'Damage (see verify)', ...damage] : []),
      ]);
      const exitCode =
        findings.length === 0
          ? ExitCode.OK
          : findings.every(({ unsupported }) => unsupported)
            ? ExitCode.UNSUPPORTED
            : ExitCode.BAD_FILE;
      return { exitCode, findings, result, text };
    },
    options,
  );
}

function rendered(described: StateInspection): TerminalText {
  switch (described.family) {
    case 'virtualbox':
      return renderState(described.description);
    case 'unit':
      return renderUnit(described.description);
    case 'qemu':
      return renderQemuState(described.description);
    case 'image':
      return lines([
        renderSnapshots(described.description.snapshots),
        'To look into one: savkit inspect FILE:SNAPSHOT',
      ]);
  }
}
