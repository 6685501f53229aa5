import { open } from 'node:fs/promises';
import { EnvironmentError } from '../../formats/errors.ts';

const HEAD_SIZE = 512;
/** How files of disks begin, by QEMU's name of their format: the place of the mark, and the mark. */
const MARKS: readonly [format: string, at: number, mark: string][] = [
  ['qcow2', 0, '514649fb'],
  ['vdi', 0x40, '7f10dabe'],
  ['vmdk', 0, '4b444d56'],
  ['vmdk', 0, Buffer.from('# Disk DescriptorFile').toString('hex')],
  ['vpc', 0, '636f6e6563746978'],
  ['vhdx', 0, '7668647866696c65'],
];

/**
 * QEMU's names for the formats of files of disks, by place; what has no mark holds the disk as it is. @throws
 * EnvironmentError
 */
export async function diskFormats(disks: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const formats = new Map<string, string>();
  for (const [place, file] of disks) formats.set(place, formatOf(await headOf(file)));
  return formats;
}

function formatOf(head: Buffer): string {
  const found = MARKS.find(([, at, mark]) => head.toString('hex', at, at + mark.length / 2) === mark);
  return found?.[0] ?? 'raw';
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
