import { join, resolve } from 'node:path';
import { UsageError } from '../../formats/errors.ts';
import { type GuestFacts, learnGuestFacts } from '../../migrations/guests/guest-facts.ts';
import { type Hindrance, hindrancesOf } from '../../migrations/guests/hindrances.ts';
import { QemuSource } from '../../migrations/guests/qemu-source.ts';
import { isOfLibvirt, reachGuest } from '../../migrations/guests/reach-guest.ts';
import { settleEarlier } from '../../migrations/guests/settle/settle-earlier.ts';
import type { QmpClient } from '../../migrations/qmp/qmp-client.ts';
import type { MigrationEvent, MigrationReport } from '../../migrations/report/report.ts';
import { MigrationError } from '../../migrations/wire/migration-error.ts';
import { carryAway, foretellOf } from '../control/carry-out.ts';
import { readRecords } from '../migration/list-records.ts';
import { assumedRate, type MigrateMachineOptions, outcomeOf, requestOf, wishOf } from '../migration/migrate-machine.ts';
import { tellEvent } from '../migration/migration-text.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Job, Outcome } from '../process/run-command.ts';
import { line, ownLines } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { guestCheckText } from './guest-text.ts';
import { keepGuest } from './keep-guest.ts';
import { standsText, whileWatched } from './watchdog.ts';

/** Prefix of the name of a guest of QEMU: `qmp:/run/vm.qmp`; guests of libvirt have a scheme of their own. */
export const GUEST_SCHEME = 'qmp:';

const AFTER_LIBVIRT = ownLines(
  'libvirt has seen the domain end here, and does not know it at the target; where it is defined here, keep it from ' +
    'being started: virsh autostart --disable, virsh undefine',
);

export interface MigrateGuestOptions extends MigrateMachineOptions {
  sharedDisks: boolean;
  mirror: boolean;
  tracking: 'compare' | 'kernel';
}

/** Whether a machine is a guest of QEMU, by its name. */
export function isGuest(name: string): boolean {
  return name.startsWith(GUEST_SCHEME) || isOfLibvirt(name);
}

/** The address of a guest, for `reachGuest`. */
export function addressOfGuest(name: string): string {
  return name.startsWith(GUEST_SCHEME) ? resolve(name.slice(GUEST_SCHEME.length)) : name;
}

/** Migrates a guest of a QEMU on this host; this process does the work, and the guest outlives it. */
export async function migrateGuest(options: MigrateGuestOptions, job: Job): Promise<Outcome> {
  if (options.change) throw new UsageError('usage', 'Cannot change limits: that is not possible for a guest of QEMU');
  if (options.onTimeLimit === 'throttle')
    throw new UsageError('usage', 'Cannot throttle a guest of QEMU: expected --on-time-limit cancel or force');
  if (options.mirror && options.sharedDisks)
    throw new UsageError('usage', 'Cannot copy disks that both sides see: expected --mirror or --shared-disks');
  wishOf(options);
  const address = addressOfGuest(job.file);
  if (options.mirror && isOfLibvirt(address))
    throw new UsageError('usage', 'Cannot copy the disks of a guest of libvirt: expected --shared-disks');
  const records = () => readRecords(options.records, () => {});
  // Earlier migrations are settled before QEMU is reached, as most sockets of QEMU take one client.
  const earlier = await settleEarlier(address, records, options.dryRun);
  const { qmp, process, close } = await reachGuest(address, { signal: job.signal });
  try {
    const facts = await learnGuestFacts(qmp, process, { signal: job.signal });
    const disks = { areShared: options.sharedDisks, areMirrored: options.mirror };
    const hindrances = [...earlier, ...hindrancesOf(facts, disks)];
    const isHindered = hindrances.some(({ isFatal }) => isFatal);
    if (options.dryRun) return await checkGuest(options, job.file, qmp, facts, hindrances, isHindered);
    if (isHindered) throw refusal('migrate', job.file, hindrances);
    return await moveGuest(options, job, qmp, facts, hindrances);
  } finally {
    close();
  }
}

async function moveGuest(
  options: MigrateGuestOptions,
  { file, signal }: Job,
  qmp: QmpClient,
  facts: GuestFacts,
  hindrances: readonly Hindrance[],
): Promise<Outcome> {
  const request = await requestOf(options);
  const report = new LiveReport(options);
  const warn = ({ code, message }: Pick<Hindrance, 'code' | 'message'>) =>
    report.note('warning', line`${message}`, { code, message });
  const source = QemuSource.open(qmp, facts, {
    copiesDisks: options.mirror,
    notesWrites: options.tracking === 'kernel',
    onWatchLost: warn,
    onSettingsLeft: ({ code, message }) =>
      warn({ code, message: `${settingsLeft(message)}; savkit migrate --resolve with its record puts them back` }),
  });
  try {
    for (const hindrance of hindrances) warn(hindrance);
    const direct = facts.disks.find(({ isDirect }) => isDirect);
    if (direct && options.tracking === 'kernel' && options.proof === 'audited')
      warn({
        code: 'direct-disk',
        message:
          `disk ${direct.device} has cache=none: the kernel may not note what it reads into memory, and with ` +
          '--proof audited that shows only when the guest runs at the target',
      });
    const { process, settings } = facts;
    const guest = { pid: process?.pid ?? 0, qmp: addressOfGuest(file), ram: source.ramPaths, settings };
    const departing = {
      ...{ name: facts.name, source, key: source, guest },
      keepAsItWas: (migration: string) => keepGuest(source, join(request.records, `${migration}.state`)),
    };
    const moved = await whileWatched(source, async (startWatch) => {
      const watch = (path: string) => {
        startWatch(path);
        return () => {};
      };
      const onEvent = (event: MigrationEvent) => tellEvent(report, event);
      return settled(await carryAway(request, { ...departing, watch }, onEvent, signal, signal), source);
    });
    if (moved.stays === 'standing-still')
      report.note('standing-still', line`${standsText(guest.qmp)}`, { machine: file });
    if (moved.outcome === 'handed-over' && isOfLibvirt(guest.qmp)) report.note('libvirt', AFTER_LIBVIRT, {});
    return await outcomeOf(moved, options);
  } catch (error) {
    if (error instanceof Error) error.message = `${file}: ${error.message}`;
    throw error;
  } finally {
    report.stop();
    source.close();
  }
}

/** Lets a guest that stays, and may stand still, run once more. @returns the report, with whether the guest runs */
async function settled(moved: MigrationReport, source: QemuSource): Promise<MigrationReport> {
  if (moved.outcome !== 'kept' || moved.stays === 'ended') return moved;
  // QEMU may answer again by now.
  if (await source.mayStand()) await source.resume().catch(() => {});
  return { ...moved, stays: (await source.mayStand()) ? 'standing-still' : 'as-it-was' };
}

/** @param why reason why the settings could not be put back */
export function settingsLeft(why: string): string {
  return `QEMU may keep settings for migrations that savkit has made (capabilities, limits): ${why}`;
}

/** @param verb such as `migrate` */
export function refusal(verb: string, name: string, hindrances: readonly Hindrance[]): MigrationError {
  const reasons = hindrances.filter(({ isFatal }) => isFatal).map(({ message }) => message);
  return new MigrationError('hindered', `Cannot ${verb} ${name}: ${reasons.join('; ')}`);
}

/** Tells all hindrances of a migration; without any, its forecast. */
async function checkGuest(
  options: MigrateGuestOptions,
  name: string,
  qmp: QmpClient,
  facts: GuestFacts,
  hindrances: readonly Hindrance[],
  isHindered: boolean,
): Promise<Outcome> {
  const wish = wishOf(options);
  const rate = assumedRate(wish);
  const notesWrites = options.tracking === 'kernel';
  const source = isHindered ? undefined : QemuSource.open(qmp, facts, { notesWrites });
  const told = source && (await foretellOf(source, { ...wish, rate }).finally(() => source.close()));
  const { version, machineType, accelerator, cpus, status, backends, disks } = facts;
  const memory = backends.map(({ id, bytes }) => ({ id, bytes }));
  const result = {
    action: 'check-guest',
    machine: name,
    guest: { name: facts.name, version, machineType, accelerator, cpus, status, memory, disks: disks.length },
    hindrances,
    rate,
    forecast: told ?? null,
  };
  const exitCode = isHindered ? ExitCode.UNSUPPORTED : told?.converges ? ExitCode.OK : ExitCode.PARTLY;
  return { exitCode, result, text: guestCheckText(name, facts, hindrances, told, rate) };
}
