import { KIB } from '../../sizes.ts';
import { INCOMPATIBLE, QCOW2_PLACES } from './qcow2.ts';

/** Facts from the first bytes of a disk image. */
export interface DiskHead {
  /** QEMU's name for the format; `raw` for files without a mark. */
  format: string;
  /** The disk names a backing file. */
  hasBacking: boolean;
  /** The disk's data are in other files, which it names. */
  hasOtherData: boolean;
}

/** Bytes that suffice, with the description embedded in a VMDK of VirtualBox or QEMU. */
export const DISK_HEAD_SIZE = 64 * KIB;

const VMDK_SPARSE = '4b444d56';
const VMDK_TEXT = Buffer.from('# Disk DescriptorFile').toString('hex');
/**
 * Field for the number of sectors in the head of a sparse VMDK; 0 where its description names other files with the
 * data.
 */
const VMDK_CAPACITY = 12;
/** Marks of disk images, by QEMU's name of the format. */
const MARKS: readonly [format: string, at: number, mark: string][] = [
  ['qcow2', 0, '514649fb'],
  ['vdi', 0x40, '7f10dabe'],
  ['vmdk', 0, VMDK_SPARSE],
  ['vmdk', 0, VMDK_TEXT],
  ['vpc', 0, '636f6e6563746978'],
  ['vhdx', 0, '7668647866696c65'],
];

/**
 * Reads the first bytes of a disk image. A guest can write a head to its raw disk that names a file of the host, which
 * QEMU would then show to the guest.
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
