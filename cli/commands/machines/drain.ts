import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import { recordFolder } from '../../../migrations/hand-over/record-folder.ts';
import { drainHost } from '../../drain/drain-host.ts';
import { withTrustOptions } from '../../migration/trust-options.ts';
import { command } from '../../parsing/options-of.ts';
import { filesOf, NDJSON, PEER_NAME, RECORDS } from '../../parsing/shared-options.ts';
import { runCommand, withCommonOptions } from '../../process/run-command.ts';

const builder = (argv: Argv) =>
  withTrustOptions(withCommonOptions(argv))
    .positional(
      'machines',
      filesOf(
        'Control sockets, qmp:PATH or libvirt:DOMAIN for guests of QEMU, folders of sockets, libvirt: for all ' +
          'its guests; or a plan (a file NAME.json)',
      ),
    )
    .option('to', {
      type: 'string',
      array: true,
      requiresArg: true,
      describe:
        'HOST:PORT of the targets, where savkit receive --keep waits; the one with most memory free comes first',
    })
    .option('jobs', { type: 'number', requiresArg: true, describe: 'Machines on their way at a time; default: 2' })
    .option('per-target', {
      type: 'number',
      requiresArg: true,
      describe: 'Machines on their way to one target; default: 2',
    })
    .option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'Only ask targets and machines, and print the plan (exit code 3: not all can go)',
    })
    .option('journal', {
      type: 'string',
      requiresArg: true,
      describe: 'Journal: file in which each step is noted before it is done',
    })
    .option('resume', {
      type: 'boolean',
      default: false,
      describe: 'Go on with the journal, after looking up each migration in the records',
    })
    .option('peer-name', PEER_NAME)
    .option('shared-disks', {
      type: 'boolean',
      default: false,
      describe: 'Of guests of QEMU: the targets see the same images of their disks',
    })
    .option('max-downtime', {
      type: 'number',
      requiresArg: true,
      describe: 'Longest downtime of a machine in milliseconds, as with migrate',
    })
    .option('bandwidth', {
      type: 'string',
      requiresArg: true,
      describe: 'Limit of the bandwidth for one machine: bytes per second, or 50M for 50 MiB/s',
    })
    .option('time-limit', {
      type: 'number',
      requiresArg: true,
      describe: 'Seconds for each machine, as with migrate',
    })
    .option('resume-within', {
      type: 'number',
      requiresArg: true,
      describe: 'Seconds in which to try to connect again after the link broke, as with migrate',
    })
    .option('records', RECORDS)
    .option('peer-records', {
      type: 'string',
      array: true,
      requiresArg: true,
      default: [] as string[],
      describe: 'Folders with records of targets, to settle interrupted migrations',
    })
    .option('ndjson', NDJSON)
    .example('$0 drain /run/vms --to b:7000 --to c:7000 --dry-run', 'The plan, and obstacles to it')
    .example(
      '$0 drain /run/vms --to b:7000 --to c:7000 --journal drain.ndjson',
      'Move all machines whose sockets are in a folder, two at a time',
    )
    .example(
      '$0 drain /run/vms --to b:7000 --to c:7000 --journal drain.ndjson --resume',
      'After a crash, or once a target is back: go on',
    )
    .example('$0 drain vm.sock qmp:/run/vm.qmp --to b:7000', 'These two machines')
    .epilogue(
      'Exit codes: 0 all have moved, 3 some have not, or it is not known where a machine is, 130 interrupted: ' +
        'migrations under way were cancelled where possible.',
    );

export const drainCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('drain', [options.machines.join(' ') || 'machines'], options, (job) => {
    if (options.resume && options.journal === undefined)
      throw new UsageError('bad-combination', '--resume goes with --journal: it names what was begun');
    // A dry run writes no record, so it needs no folder for records.
    return drainHost({ ...options, records: options.dryRun ? '' : recordFolder(options.records) }, job);
  });
});
