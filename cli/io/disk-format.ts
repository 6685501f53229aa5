import { open } from 'node:fs/promises';
import { EnvironmentError, UnsupportedError } from '../../formats/errors.ts';

/** With the description that a VMDK has in itself, as VirtualBox and QEMU make them. */
const HEAD_SIZE = 64 * 1024;
/** How files of disks begin, by QEMU's name of their format: the place of the mark, and the mark. */
const MARKS: readonly [format: string, at: number, mark: string][] = [
  ['qcow2', 0, '514649fb'],
  ['vdi', 0x40, '7f10dabe'],
  ['vmdk', 0, '4b444d56'],
  ['vmdk', 0, Buffer.from('# Disk DescriptorFile').toString('hex')],
  ['vpc', 0, '636f6e6563746978'],
  ['vhdx', 0, '7668647866696c65'],
];

/** In the head of a qcow2 image: place of its backing file's name (0: it has none), and flags, of version 3 on. */
const QCOW2_BACKING = 8;
const QCOW2_FLAGS = 72;
const EXTERNAL_DATA = 4n;

/**
 * QEMU's names for the formats of files of disks, by place; what has no mark holds the disk as it is. A guest writes
 * its raw disk from the first byte on, and so can make it an image that names a file of the host, for QEMU to show to the
 * guest.
 * @throws UnsupportedError `external-data` for an image that names another file, EnvironmentError
 */
export async function diskFormats(disks: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const formats = new Map<string, string>();
  for (const [place, file] of disks) {
    const head = await headOf(file);
    const format = formatOf(head);
    if (namesOther(format, head))
      throw new UnsupportedError(
        'external-data',
        `Cannot use disk ${file}: as ${format} it names another file; make one file of both, with qemu-img convert`,
      );
    formats.set(place, format);
  }
  return formats;
}

function formatOf(head: Buffer): string {
  const found = MARKS.find(([, at, mark]) => head.toString('hex', at, at + mark.length / 2) === mark);
  return found?.[0] ?? 'raw';
}

function namesOther(format: string, head: Buffer): boolean {
  if (format === 'vmdk') return /parentFileNameHint/i.test(head.toString('latin1'));
  if (format !== 'qcow2') return false;
  const isNew = head.readUInt32BE(4) >= 3;
  return (
    head.readBigUInt64BE(QCOW2_BACKING) !== 0n || (isNew && (head.readBigUInt64BE(QCOW2_FLAGS) & EXTERNAL_DATA) !== 0n)
  );
}

async function headOf(path: string): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const head = Buffer.alloc(HEAD_SIZE);
      await file.read(head, 0, HEAD_SIZE, 0);
      return head;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw EnvironmentError.from(error, `read ${path}`);
  }
}
