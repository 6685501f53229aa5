import { truncateSync, writeFileSync } from 'node:fs';
import { countText } from '../../formats/amounts.ts';
import { UsageError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { shellWord } from '../../formats/values/shell-word.ts';
import { copyGuest } from '../../migrations/guests/copy-guest.ts';
import { learnGuestFacts } from '../../migrations/guests/guest-facts.ts';
import { hindrancesOf } from '../../migrations/guests/hindrances.ts';
import { privateFolder } from '../../migrations/guests/memory/private-folder.ts';
import { RamFiles } from '../../migrations/guests/memory/ram-files.ts';
import { QemuSource } from '../../migrations/guests/qemu-source.ts';
import { reachGuest } from '../../migrations/guests/reach-guest.ts';
import { asOfSharedMemory } from '../../migrations/guests/strip-devices.ts';
import { DecisionFile, type GuestRecord } from '../../migrations/hand-over/decision-record.ts';
import { newMigrationId } from '../../migrations/source/migration.ts';
import { secondsText } from '../migration/migration-text.ts';
import type { CommonOptions, Outcome } from '../process/run-command.ts';
import { indent, line, lines, NO_TEXT } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { addressOfGuest, refusal, settingsLeft } from './migrate-guest.ts';
import { putTogether, withPartBeside, writingBeside } from './put-together.ts';
import { standsText, whileWatched } from './watchdog.ts';

export interface SaveGuestOptions extends CommonOptions {
  machine: string;
  output: string;
  maxDowntime: number;
  stay: boolean;
  force: boolean;
}

/**
 * Saves a guest of QEMU, which runs on: its memory is first copied to a file beside the output, then joined with its
 * devices.
 */
export async function saveGuest(options: SaveGuestOptions, signal: AbortSignal): Promise<Outcome> {
  const { output } = options;
  if (options.stay) throw new UsageError('usage', 'Cannot leave a guest of QEMU suspended: QMP stop does so');
  if (output === '-') throw new UsageError('usage', 'Cannot save a guest of QEMU to stdout: expected a file');
  return withPartBeside(output, (ramPath) =>
    withPartBeside(output, (statePath) => saveBeside(options, { ramPath, statePath }, signal)),
  );
}

/** Copies memory and devices into two empty files, and makes the output of them. */
async function saveBeside(
  { machine, output, force, maxDowntime: maxDowntimeMs, ...options }: SaveGuestOptions,
  { ramPath, statePath }: { ramPath: string; statePath: string },
  signal: AbortSignal,
): Promise<Outcome> {
  const { qmp, process, close } = await reachGuest(addressOfGuest(machine), { signal });
  const report = new LiveReport(options);
  try {
    const facts = await learnGuestFacts(qmp, process, { signal });
    // Disks are not copied: the state fits them as they are at the moment of the save.
    const hindrances = hindrancesOf(facts, { areShared: true, areMirrored: false });
    if (hindrances.some(({ isFatal }) => isFatal)) throw refusal('save', machine, hindrances);
    const source = QemuSource.open(qmp, facts, {
      onSettingsLeft: ({ code, message }) =>
        report.note('warning', line`${settingsLeft(message)}`, { code, message: settingsLeft(message) }),
    });
    try {
      const { regions } = source.description;
      const pages = regions.reduce((sum, region) => sum + region.pages, 0);
      writingBeside(output, () => truncateSync(ramPath, pages * PAGE_SIZE));
      const copy = RamFiles.open([{ path: ramPath, offset: 0, pages }], 'r+');
      const onRound = (pages: number) => report.note('round', NO_TEXT, { pages });
      const { settings } = facts;
      const guest = { pid: facts.process?.pid ?? 0, qmp: addressOfGuest(machine), ram: [], settings };
      const copied = await copyWatched(machine, guest, source, (beforeStop) =>
        copyGuest(source, copy, { maxDowntimeMs, signal, onRound, beforeStop }),
      ).finally(() => copy.close());
      const devices = source.isHandedOut ? await asOfSharedMemory(copied.devices) : copied.devices;
      writingBeside(output, () => writeFileSync(statePath, devices));
      const written = await putTogether({ statePath, ramPath, regions }, output, force, signal);
      const { rounds, downtimeMs, totalMs, paused } = copied.report;
      const result = { action: 'save-guest', machine, rounds, downtimeMs, totalMs, paused, disks: facts.disks.length };
      const disks =
        facts.disks.length > 0
          ? [indent(line`disks of the guest are not in the file: the state fits them only as they were at that moment`)]
          : [];
      const stood = paused ? 'the guest was paused, and stays so' : `stood still for ${secondsText(downtimeMs)}`;
      const figures = line`${stood}, after ${countText(rounds.length - 1, 'round')}`;
      const incoming = shellWord(`exec:cat ${shellWord(output)}`);
      const help = line`a QEMU with the same arguments, -S and -incoming ${incoming} loads it, paused`;
      const text = lines([line`${output}: ${figures}; ${help}; QMP cont lets the guest go on`, ...disks]);
      return { exitCode: written, result, text: options.quiet ? NO_TEXT : text };
    } finally {
      source.close();
    }
  } finally {
    report.stop();
    close();
  }
}

/** Copies a guest, and has a watchdog look after the guest from the moment at which it may be stopped. */
async function copyWatched<T>(
  machine: string,
  guest: GuestRecord,
  source: Pick<QemuSource, 'mayStand'>,
  copy: (beforeStop: (isPaused: boolean) => Promise<void>) => Promise<T>,
): Promise<T> {
  try {
    return await whileWatched(source, (watch) =>
      copy(async (isPaused) => {
        const folder = privateFolder();
        const log = new DecisionFile(folder, { side: 'source', migration: newMigrationId(), machine, peer: '', guest });
        watch(log.path, folder);
        log.standsStill(isPaused);
        await log.write('migrating', 0);
      }),
    );
  } catch (error) {
    if (await source.mayStand()) (error as Error).message += `; ${standsText(guest.qmp)}`;
    throw error;
  }
}
