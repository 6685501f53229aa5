import { EnvironmentError } from '../../../formats/errors.ts';
import { DISK_HEAD_SIZE, type DiskHead, readDiskHead } from '../../../formats/qemu/containers/disk-head.ts';
import { world } from '../../../formats/world/world.ts';
import type { QemuOption } from '../../../src/saved-state/qemu-check/command-words.ts';
import { harmful, partsOfValue, type ValueParts } from './harmless-values.ts';

// QEMU opens further files that the head of an image names. A guest can write such a head to its raw disk, and the
// sender of a command line chooses the format in which QEMU reads the disk. So heads are checked before QEMU reads
// them.

const READ_BY_HEAD = 'qcow2';

/**
 * Makes sure that images name only files that the command line names itself.
 * @param options whose files are known to be harmless
 * @throws MigrationError `harmful-option`; EnvironmentError for an image that cannot be read
 */
export function checkImages(options: readonly QemuOption[]): void {
  const images = options
    .filter(({ name }) => name === 'drive' || name === 'blockdev')
    .map(({ name, value = '' }) => ({ name, ...partsOfValue(name, value) }));
  const formats = images.flatMap((image) => formatsIn(image));
  if (formats.length === 0) return;
  const followsBacking = formats.some(({ namesBacking }) => !namesBacking);
  for (const { name, parts } of images)
    for (const { key, value } of parts) {
      const isFile = /(^|\.)filename$/.test(key) || (name === 'drive' && key === 'file');
      if (!isFile) continue;
      const { format, hasBacking, hasOtherData } = headOf(value);
      if (format === READ_BY_HEAD && (hasOtherData || (hasBacking && followsBacking)))
        throw harmful(name, `the head of ${value} names another file`);
    }
}

/**
 * The images of an option that QEMU reads by their heads, and whether the command line itself names their backing
 * files.
 */
function formatsIn({ name, kind, parts }: ValueParts & { name: string }): { namesBacking: boolean }[] {
  const drivers = parts.filter(({ key, value }) => /(^|\.)(driver|format)$/.test(key) && value === READ_BY_HEAD);
  const nodes = [...(kind === READ_BY_HEAD ? [''] : []), ...drivers.map(({ key }) => key.replace(/\w+$/, ''))];
  return nodes.map((node) => ({
    namesBacking:
      name === 'blockdev' && parts.some(({ key }) => key === `${node}backing` || key.startsWith(`${node}backing.`)),
  }));
}

function headOf(path: string): DiskHead {
  try {
    const file = world.disk.openSync(path, 'r');
    try {
      const head = Buffer.alloc(DISK_HEAD_SIZE);
      world.disk.readSync(file, head, 0, DISK_HEAD_SIZE, 0);
      return readDiskHead(head);
    } finally {
      world.disk.closeSync(file);
    }
  } catch (error) {
    throw EnvironmentError.from(error, `read ${path}`);
  }
}
