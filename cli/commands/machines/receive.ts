import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import { recordFolder } from '../../../migrations/hand-over/record-folder.ts';
import { KEEP_IN_TEXT } from '../../control/keep-file.ts';
import { DEFAULT_INCOMING, receiveMany } from '../../daemon/receive-many.ts';
import { receiveGuest } from '../../guests/receive-guest.ts';
import { withMetrics } from '../../metrics/metrics-server.ts';
import { receiveMachine } from '../../migration/receive-machine.ts';
import { withTrustOptions } from '../../migration/trust-options.ts';
import { command } from '../../parsing/options-of.ts';
import { FORCE, NDJSON, outputTo, PASSWORD_FILE, RECORDS } from '../../parsing/shared-options.ts';
import { SHADOW } from '../../process/host-options.ts';
import { runCommand, withCommonOptions } from '../../process/run-command.ts';
import { receiveFile } from '../../teleporter/receive-file.ts';

/** Default of --wait, in seconds, where one machine is received. */
const WAIT_SECONDS = 300;

const builder = (argv: Argv) =>
  withMetrics(withTrustOptions(withCommonOptions(argv)))
    .option('teleporter', {
      type: 'boolean',
      default: false,
      describe: 'Receive from a VirtualBox that teleports the machine',
    })
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
        "For a guest of QEMU: file with the command line of the QEMU to start, which is the source's adapted to this " +
        'host; with --keep a folder of such files, NAME.args',
    })
    .option('qemu', {
      type: 'string',
      requiresArg: true,
      describe:
        "Folder with the files of guests of QEMU: take a guest with its source's command line, of which only options " +
        'for emulated devices and files below this folder are taken over; its memory becomes a memfd, its ports and ' +
        'its display lead nowhere',
    })
    .option('qemu-program', {
      type: 'string',
      requiresArg: true,
      describe: 'With --qemu: the QEMU to start, with options that begin its command line; default: qemu-system-x86_64',
    })
    .option('keep', {
      type: 'boolean',
      default: false,
      describe:
        'Take machine after machine, of savkit and (with --qemu-args) of QEMU, and run them, until a signal ' +
        'ends this process',
    })
    .option('max-incoming', {
      type: 'number',
      requiresArg: true,
      describe:
        'With --keep: most machines on their way at a time; others are told that this side is busy; default: ' +
        `${DEFAULT_INCOMING}`,
    })
    .option('output', outputTo('File to keep the machine in, which then does not run here'))
    .option('password-file', PASSWORD_FILE)
    .option('then', {
      choices: ['decline', 'hand-over'] as const,
      default: 'decline' as const,
      describe: 'Once the state is complete: decline the machine, which then runs on at the source, or take it over',
    })
    .option('flatten', { type: 'boolean', default: false, describe: 'Make one plain state of all passes' })
    .option('seed', {
      type: 'string',
      requiresArg: true,
      describe: 'Older state of the same machine: pages unchanged since then are not sent',
    })
    .option('safe', {
      type: 'string',
      requiresArg: true,
      describe:
        'Write the machine to this file before it is taken over, in case this process dies; the machine stands ' +
        'still meanwhile',
    })
    .option('max-memory', {
      type: 'string',
      requiresArg: true,
      describe: 'Limit of the memory of a machine, with --keep of all machines here; default: 80 % of the free memory',
    })
    .option('shadow', SHADOW)
    .option('keep-for', {
      type: 'number',
      default: 600,
      describe: 'Seconds to keep an incomplete machine after the link broke',
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
      describe: 'Where to open a control socket for the arrived machine; with --keep a folder, for NAME.sock',
    })
    .option('keep-in', { type: 'string', requiresArg: true, describe: `${KEEP_IN_TEXT}; with --keep a folder` })
    .option('records', RECORDS)
    .option('wait', {
      type: 'number',
      requiresArg: true,
      describe: `Seconds to wait for a source, 0 for ever; default: ${WAIT_SECONDS}, with --keep for ever`,
    })
    .option('force', FORCE)
    .option('ndjson', NDJSON)
    .example('$0 receive --listen :7000', 'Wait for a machine of savkit migrate; shows the code to give there')
    .example(
      '$0 receive --listen :7000 -o vm.sav',
      'The same, kept in a file: for any machine, also one that savkit cannot run',
    )
    .example(
      '$0 receive --listen :7000 --keep --control sockets --max-memory 8G --max-incoming 2',
      'Take machine after machine; one that does not fit now is told that this side is busy',
    )
    .example('$0 receive --listen :7000 --qemu-args vm.args', 'Wait for a guest of QEMU, and start a QEMU for it')
    .example('$0 receive --listen :7000 --qemu /srv/guests', 'The same, by the command line of the source')
    .example(
      '$0 receive --teleporter --listen :6000 --password-file pw -o vm.sav',
      'A consistent copy of a machine, which runs on',
    )
    .example(
      'VBoxManage controlvm VM teleport --host HERE --port 6000 --passwordfile pw',
      "The other side, on the machine's host",
    )
    .example(
      '$0 receive --teleporter --listen :6000 --password-file pw -o vm.sav --then hand-over',
      'The machine leaves its host',
    )
    .epilogue(
      'Exit codes: 0 received, 1 memory is not as it must be, 4 nothing came, or a socket or file failed, 130 a ' +
        'signal has ended the command (the usual end of --keep).\n\nVirtualBox does not encrypt a teleport: between ' +
        'hosts use `savkit relay`, or a tunnel.',
    );
export const receiveCommand = command(builder, async (options) => {
  const { teleporter, output, listen } = options;
  process.exitCode = await runCommand('receive', [teleporter ? (output ?? '') : listen], options, (job) => {
    const { qemuArgs, qemu, qemuProgram } = options;
    if (qemu !== undefined && (qemuArgs !== undefined || teleporter || options.keep))
      throw new UsageError('bad-combination', '--qemu goes neither with --qemu-args nor with --teleporter or --keep');
    if (qemuProgram !== undefined && qemu === undefined)
      throw new UsageError('bad-combination', '--qemu-program goes with --qemu');
    if (qemuArgs !== undefined && teleporter)
      throw new UsageError('usage', 'Cannot use --qemu-args with --teleporter: VirtualBox has no guests of QEMU');
    if (options.keep && teleporter)
      throw new UsageError('usage', 'Cannot use --keep with --teleporter: a VirtualBox teleports one machine');
    if (options.metricsListen !== undefined && !options.keep)
      throw new UsageError('bad-combination', '--metrics-listen goes with --keep');
    if (options.maxIncoming !== undefined && !options.keep)
      throw new UsageError('bad-combination', '--max-incoming goes with --keep');
    const wait = options.wait ?? (options.keep ? 0 : WAIT_SECONDS);
    const own = { ...options, wait, records: recordFolder(options.records) };
    if (options.keep) return receiveMany(own, job);
    if (qemuArgs !== undefined || qemu !== undefined) return receiveGuest(own, job);
    if (!teleporter) return receiveMachine(own, job);
    if (output === undefined) throw new UsageError('usage', 'Cannot receive from a VirtualBox: expected --output FILE');
    return receiveFile({ ...own, output }, job);
  });
});
