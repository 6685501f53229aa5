import { KIB } from '../../sizes.ts';
import { INCOMPATIBLE, QCOW2_PLACES } from './qcow2.ts';

/** What the beginning of an image of a disk tells of it. */
export interface DiskHead {
  /** QEMU's name for the format; what has no mark holds the disk as it is: `raw`. */
  format: string;
  /** It names a file with what the image itself does not hold. */
  hasBacking: boolean;
  /** It names files with the data of the disk. */
  hasOtherData: boolean;
}

/** Bytes that tell it: with the description that a VMDK has in itself, as VirtualBox and QEMU make them. */
export const DISK_HEAD_SIZE = 64 * KIB;

const VMDK_SPARSE = '4b444d56';
const VMDK_TEXT = Buffer.from('# Disk DescriptorFile').toString('hex');
/** Sectors of the disk in the head of a sparse VMDK: none, where its description names the files with them. */
const VMDK_CAPACITY = 12;
/** How files of disks begin, by QEMU's name of their format: the place of the mark, and the mark. */
const MARKS: readonly [format: string, at: number, mark: string][] = [
  ['qcow2', 0, '514649fb'],
  ['vdi', 0x40, '7f10dabe'],
  ['vmdk', 0, VMDK_SPARSE],
  ['vmdk', 0, VMDK_TEXT],
  ['vpc', 0, '636f6e6563746978'],
  ['vhdx', 0, '7668647866696c65'],
];

/**
 * A guest writes its raw disk from the first byte on, and so can make it an image that names a file of the host, for
 * QEMU to show to the guest.
 * @param bytes the first `DISK_HEAD_SIZE` of the file, with zeros after a shorter one
 */
export function readDiskHead(bytes: Uint8Array): DiskHead {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const begins = (at: number, mark: string) => head.toString('hex', at, at + mark.length / 2) === mark;
  const [format] = MARKS.find(([, at, mark]) => begins(at, mark)) ?? ['raw'];
  const own = { format, hasBacking: false, hasOtherData: false };
  if (format === 'qcow2') return { ...own, ...filesOfQcow2(head) };
  if (format !== 'vmdk') return own;
  return {
    format,
    hasBacking: /parentFileNameHint/i.test(head.toString('latin1')),
    hasOtherData: !begins(0, VMDK_SPARSE) || head.readBigUInt64LE(VMDK_CAPACITY) === 0n,
  };
}

function filesOfQcow2(head: Buffer): Omit<DiskHead, 'format'> {
  const flags = head.readUInt32BE(QCOW2_PLACES.VERSION) >= 3 ? head.readBigUInt64BE(QCOW2_PLACES.INCOMPATIBLE) : 0n;
  return {
    hasBacking: head.readBigUInt64BE(QCOW2_PLACES.BACKING) !== 0n,
    hasOtherData: (flags & INCOMPATIBLE.EXTERNAL_DATA) !== 0n,
  };
}
