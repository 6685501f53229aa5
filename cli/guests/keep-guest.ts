import { truncateSync, writeFileSync } from 'node:fs';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { copyMemory } from '../../migrations/guests/copy-guest.ts';
import { RamFiles } from '../../migrations/guests/memory/ram-files.ts';
import type { QemuSource } from '../../migrations/guests/qemu-source.ts';
import { asOfSharedMemory } from '../../migrations/guests/strip-devices.ts';
import { MigrationError } from '../../migrations/wire/migration-error.ts';
import { ExitCode } from '../process/exit-codes.ts';
import { putTogether, withPartBeside, writingBeside } from './put-together.ts';

/**
 * Writes a paused guest, whose devices are saved already, as a state that QEMU loads. Needed when the target lacks
 * pages that only this host has. @returns the path @throws SavkitError
 */
export async function keepGuest(source: QemuSource, output: string): Promise<string> {
  const { regions } = source.description;
  const pages = regions.reduce((sum, region) => sum + region.pages, 0);
  const devices = await source.saveRest();
  await withPartBeside(output, (ramPath) =>
    withPartBeside(output, async (statePath) => {
      writingBeside(output, () => truncateSync(ramPath, pages * PAGE_SIZE));
      const copy = RamFiles.open([{ path: ramPath, offset: 0, pages }], 'r+');
      try {
        copyMemory(source, copy);
      } finally {
        copy.close();
      }
      const state = source.isHandedOut ? await asOfSharedMemory(devices) : devices;
      writingBeside(output, () => writeFileSync(statePath, state));
      const kept = await putTogether({ statePath, ramPath, regions }, output, false, new AbortController().signal);
      if (kept !== ExitCode.OK) throw new MigrationError('devices-failed', `Cannot keep the guest in ${output}`);
    }),
  );
  return output;
}
