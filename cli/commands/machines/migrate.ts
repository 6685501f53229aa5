import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import { recordFolder } from '../../../migrations/hand-over/record-folder.ts';
import { DEFAULT_LIMITS } from '../../../migrations/policy/limits.ts';
import { COMPRESSION_CHOICES } from '../../../migrations/source/options.ts';
import { isGuest, migrateGuest } from '../../guests/migrate-guest.ts';
import { finishing } from '../../io/stop.ts';
import { migrateMachine } from '../../migration/migrate-machine.ts';
import { resolveRecords } from '../../migration/resolve-records.ts';
import { withTrustOptions } from '../../migration/trust-options.ts';
import { command } from '../../parsing/options-of.ts';
import { NDJSON, PEER_NAME, RECORDS } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';

const builder = (argv: Argv) =>
  withTrustOptions(withCommonOptions(argv))
    .positional('machine', {
      type: 'string',
      describe:
        'qmp:PATH, a QMP socket of a guest of QEMU; or libvirt:DOMAIN, a guest of libvirt; or the control ' +
        'socket of a running machine (savkit run); or a saved state',
    })
    .option('to', {
      type: 'string',
      requiresArg: true,
      describe: 'HOST:PORT of the target, where savkit receive waits',
    })
    .option('peer-name', PEER_NAME)
    .option('max-downtime', {
      type: 'number',
      requiresArg: true,
      describe: `Milliseconds that the machine may stand still; default: ${DEFAULT_LIMITS.maxDowntimeMs}`,
    })
    .option('stalled-downtime', {
      type: 'number',
      requiresArg: true,
      describe:
        'Milliseconds that the machine may stand still once rounds get no shorter; ' +
        `default: ${DEFAULT_LIMITS.stalledDowntimeMs}`,
    })
    .option('bandwidth', {
      type: 'string',
      requiresArg: true,
      describe: 'Limit of the bandwidth: bytes per second, or 50M for 50 MiB/s; 0 for no limit',
    })
    .option('time-limit', {
      type: 'number',
      requiresArg: true,
      describe: `Seconds for all rounds, 0 for no limit; default: ${DEFAULT_LIMITS.timeLimitMs / 1000}`,
    })
    .option('on-time-limit', {
      choices: ['cancel', 'force', 'throttle'] as const,
      describe: `Action at the end of --time-limit; default: ${DEFAULT_LIMITS.onTimeLimit}`,
    })
    .option('shared-disks', {
      type: 'boolean',
      default: false,
      describe: 'Of a guest of QEMU: the target sees the same images of its disks',
    })
    .option('mirror', {
      type: 'boolean',
      default: false,
      describe: "Of a guest of QEMU: copy its disks into the images that the target's QEMU has for it",
    })
    .option('tracking', {
      choices: ['compare', 'kernel'] as const,
      default: 'compare' as const,
      describe:
        'Search for writes of a guest of QEMU. compare: all memory is looked through, again and again; kernel: ' +
        'the kernel notes them (Linux 6.7, x86-64, a C compiler, root), which takes next to no time; where it ' +
        'cannot, memory is compared',
    })
    .option('streams', { type: 'number', default: 1, describe: 'Connections, 1 to 16' })
    .option('compression', {
      choices: COMPRESSION_CHOICES,
      default: 'auto' as const,
      describe: 'Compress pages with zstd; auto: where the link is slow',
    })
    .option('proof', {
      choices: ['auto', 'full', 'audited'] as const,
      default: 'auto' as const,
      describe:
        'full: both sides hash all memory while the machine stands still, and lost pages are sent again; audited: ' +
        'they hash it while the machine runs, so that a write lost after that shows only once the machine runs ' +
        'there (exit code 1), but with --tracking compare this side compares all memory while the machine stands ' +
        'still, and no write is lost; auto: full if it fits the downtime',
    })
    .option('resume-within', {
      type: 'number',
      default: 60,
      describe: 'Seconds in which to try to connect again after the link broke',
    })
    .option('records', RECORDS)
    .option('migration', {
      type: 'string',
      requiresArg: true,
      describe:
        'Number by which the records are named, 32 hexadecimal digits; default: a new one. Chosen before, it ' +
        'tells after a crash what became of the machine',
    })
    .option('dry-run', {
      type: 'boolean',
      default: false,
      describe:
        'Only measure, and foretell (exit code 3: it would not end); --bandwidth is the expected one of the link',
    })
    .option('change', {
      type: 'boolean',
      default: false,
      describe: 'Change the limits of a migration under way to those given',
    })
    .option('resolve', {
      type: 'string',
      requiresArg: true,
      describe: 'Record of a migration that broke: say who may run the machine; a guest of QEMU is let run, or ended',
    })
    .option('peer-record', {
      type: 'string',
      requiresArg: true,
      describe: "With --resolve: the other side's record, or a copy of it",
    })
    .option('peer-ended', {
      type: 'boolean',
      default: false,
      describe: "With --resolve: the other side's process had ended when its record was copied",
    })
    .option('ndjson', NDJSON)
    .example('$0 migrate vm.sock --to other:7000', 'Move a machine; asks for the code that the target shows')
    .example('$0 migrate qmp:/run/vm.qmp --dry-run', 'A guest of QEMU: list the obstacles, and leave it alone')
    .example('$0 migrate libvirt:vm --to other:7000 --shared-disks', 'A guest of libvirt, whose disks both hosts see')
    .example('$0 migrate vm.sock --to other:7000 --max-downtime 100 --bandwidth 50M', 'Gently')
    .example('$0 migrate vm.sock --dry-run --bandwidth 100M', 'Would it work, and how long would it take?')
    .example('$0 migrate vm.sock --change --bandwidth 10M', 'During the migration: use less bandwidth')
    .example('$0 migrate --resolve HERE.source.json --peer-record THERE.target.json', 'After a crash: who may run it?')
    .epilogue(
      'Exit codes: 0 the machine runs at the target, 1 it runs there without some of its writes, 3 nobody can say ' +
        'yet, or (--dry-run) the migration would not end, 4 the machine runs on here, 5 the target does not take it.',
    );
export const migrateCommand = command(builder, async (options) => {
  const { machine, resolve } = options;
  process.exitCode = await runCommand('migrate', [machine ?? resolve ?? ''], options, (job) => {
    if ((machine === undefined) === (resolve === undefined))
      throw new UsageError('usage', 'Cannot migrate: expected either a machine or --resolve');
    if (resolve !== undefined) return resolveRecords({ ...options, resolve });
    // A dry run and a change of limits write no record, so they need no folder for records.
    const mayLack = options.dryRun || options.change;
    const own = { ...options, records: mayLack ? foundFolder(options.records) : recordFolder(options.records) };
    // A cancelled migration returns its report, too.
    const isDone = ({ exitCode }: Outcome) => exitCode === ExitCode.OK;
    return finishing(isGuest(job.file) ? migrateGuest(own, job) : migrateMachine(own, job), isDone);
  });
});

/** The folder of records; empty for a user without a home. */
function foundFolder(named: string | undefined): string {
  try {
    return recordFolder(named);
  } catch {
    return '';
  }
}
