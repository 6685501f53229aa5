import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import { recordFolder } from '../../../migrations/hand-over/record-folder.ts';
import { KEEP_IN_TEXT } from '../../control/keep-file.ts';
import { receiveGuest } from '../../guests/receive-guest.ts';
import { receiveMachine } from '../../migration/receive-machine.ts';
import { withTrustOptions } from '../../migration/trust-options.ts';
import { command } from '../../parsing/options-of.ts';
import { SHADOW_TEXT } from '../../process/host-options.ts';
import { runCommand, withCommonOptions } from '../../process/run-command.ts';
import { receiveFile } from '../../teleporter/receive-file.ts';

const builder = (argv: Argv) =>
  withTrustOptions(withCommonOptions(argv))
    .option('teleporter', { type: 'boolean', default: false, describe: 'From a VirtualBox that teleports it' })
    .option('listen', {
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'Where to wait: :PORT, or HOST:PORT for one address of this host',
    })
    .option('qemu-args', {
      type: 'string',
      requiresArg: true,
      describe:
        "A guest of QEMU: file with the command line of the QEMU to be started for it, which is the source's with what is different here",
    })
    .option('output', {
      type: 'string',
      alias: 'o',
      requiresArg: true,
      describe: 'File to keep the machine in, which then does not run here',
    })
    .option('password-file', {
      type: 'string',
      requiresArg: true,
      describe: 'File with the password; else SAVKIT_TELEPORTER_PASSWORD, else a prompt',
    })
    .option('then', {
      choices: ['decline', 'hand-over'] as const,
      default: 'decline' as const,
      describe: 'Once the state is complete: decline the machine, which then runs on at the source; or take it over',
    })
    .option('flatten', { type: 'boolean', default: false, describe: 'Make a plain state of the passes' })
    .option('seed', {
      type: 'string',
      requiresArg: true,
      describe: 'Older state of the same machine: pages that are still the same need not come',
    })
    .option('safe', {
      type: 'string',
      requiresArg: true,
      describe:
        'Write the machine to this file before it is taken over, in case this process dies; it stands still for so long',
    })
    .option('max-memory', {
      type: 'string',
      requiresArg: true,
      describe: 'Most memory of a machine; default: 80 % of what is free',
    })
    .option('shadow', { type: 'string', requiresArg: true, describe: SHADOW_TEXT })
    .option('keep-for', {
      type: 'number',
      default: 600,
      describe: 'Seconds to keep what has come when the link is lost',
    })
    .option('run-for', {
      type: 'number',
      alias: 'for',
      requiresArg: true,
      describe: 'Seconds to run the machine; default: until it is stopped',
    })
    .option('control', {
      type: 'string',
      alias: 'socket',
      requiresArg: true,
      describe: 'Where to open a control socket for the machine that has come',
    })
    .option('keep-in', { type: 'string', requiresArg: true, describe: KEEP_IN_TEXT })
    .option('records', {
      type: 'string',
      requiresArg: true,
      describe: 'Folder for what is decided; default: one of your own',
    })
    .option('wait', { type: 'number', default: 300, describe: 'Seconds to wait for a source; 0 for ever' })
    .option('force', { type: 'boolean', alias: 'f', default: false, describe: 'Replace an existing file' })
    .option('ndjson', { type: 'boolean', default: false, describe: 'Print what happens as JSON, one event a line' })
    .example('$0 receive --listen :7000', 'Wait for a machine of savkit migrate; shows the code to give there')
    .example(
      '$0 receive --listen :7000 -o vm.sav',
      'The same, kept in a file: for any machine, also one that savkit can not run',
    )
    .example('$0 receive --listen :7000 --qemu-args vm.args', 'Wait for a guest of QEMU, and start a QEMU for it')
    .example(
      '$0 receive --teleporter --listen :6000 --password-file pw -o vm.sav',
      'A consistent copy of a machine that runs on',
    )
    .example(
      'VBoxManage controlvm VM teleport --host HERE --port 6000 --passwordfile pw',
      'Its other side, on the host of the machine',
    )
    .example(
      '$0 receive --teleporter --listen :6000 --password-file pw -o vm.sav --then hand-over',
      'The machine leaves its host',
    )
    .epilogue(
      'Exit codes: 0 received, 1 memory is not what it must be, 4 nothing came, or no socket or file could be had.\n\nVirtualBox does not encrypt what it sends: between hosts use `savkit relay`, or a tunnel.',
    );
export const receiveCommand = command(builder, async (options) => {
  const { teleporter, output, listen } = options;
  process.exitCode = await runCommand('receive', [teleporter ? (output ?? '') : listen], options, (job) => {
    const { qemuArgs } = options;
    if (qemuArgs !== undefined && teleporter)
      throw new UsageError('usage', 'Cannot use --qemu-args with --teleporter: VirtualBox has no guests of QEMU');
    if (qemuArgs !== undefined)
      return receiveGuest({ ...options, qemuArgs, records: recordFolder(options.records) }, job);
    if (!teleporter) return receiveMachine({ ...options, records: recordFolder(options.records) }, job);
    if (output === undefined) throw new UsageError('usage', 'Cannot receive from a VirtualBox: expected --output FILE');
    return receiveFile({ ...options, output }, job);
  });
});
