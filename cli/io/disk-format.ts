import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { EnvironmentError, UnsupportedError } from '../../formats/errors.ts';
import { DISK_HEAD_SIZE, type DiskHead, readDiskHead } from '../../formats/qemu/containers/disk-head.ts';

/**
 * QEMU's names for the formats of files of disks, by place.
 * @throws UnsupportedError `external-data` for an image that names another file, EnvironmentError
 */
export async function diskFormats(disks: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const formats = new Map<string, string>();
  for (const [place, file] of disks) {
    const { format, hasBacking, hasOtherData } = await headOf(file);
    if (hasBacking || hasOtherData)
      throw new UnsupportedError(
        'external-data',
        `Cannot use disk ${file}: as ${format} it names another file; make one file of all, with qemu-img convert`,
      );
    formats.set(place, format);
  }
  return formats;
}

async function headOf(path: string): Promise<DiskHead> {
  try {
    // A pipe is no disk, and opening one would wait for its writer.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const head = Buffer.alloc(DISK_HEAD_SIZE);
      await file.read(head, 0, DISK_HEAD_SIZE, 0);
      return readDiskHead(head);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw EnvironmentError.from(error, `read ${path}`);
  }
}
