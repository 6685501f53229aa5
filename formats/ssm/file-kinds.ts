import { PACKINGS } from '../files/packings.ts';
import { startsWith } from './header-rules.ts';

/** A kind of file that is not a saved state, with advice how to get one. */
export interface FileKind {
  /** Name with its article: `a gzip file`. */
  name: string;
  /** Advice in one line; `FILE` stands for the path. */
  advice: string;
  /**
   * The file was recognised by a signature at a fixed place, and is of this kind for certain, unless its first bytes
   * were overwritten.
   */
  isCertain: boolean;
  /** The file is a saved state of QEMU. */
  isQemus?: true;
}

interface Signature extends Omit<FileKind, 'isCertain'> {
  is: (head: Uint8Array) => boolean;
}

const SNAPSHOTS = "the saved state lies in the machine's Snapshots folder as {uuid}.sav";
const OF_QEMU = {
  advice: 'this command takes states of VirtualBox only; inspect, verify, extract and most others take this one, too',
  isQemus: true,
} as const;

/**
 * Signatures at fixed places. These outweigh units found in a file, since any other kind of file may contain a state.
 */
const SIGNATURES: readonly Signature[] = [
  ...Object.entries(PACKINGS).map(([format, magic]) => packed(format, magic, `${format} -dk FILE`)),
  packed('lz4', '\x04\x22\x4d\x18', 'lz4 -d FILE'),
  packed('7z', '7z\xbc\xaf\x27\x1c', '7z x FILE'),
  packed('zip', 'PK\x03\x04', 'unzip FILE'),
  packed('cpio', '070701', 'cpio -idv < FILE'),
  packed('ar', '!<arch>\n', 'ar x FILE'),
  packed('rar', 'Rar!\x1a\x07', 'unrar x FILE'),
  { name: 'a tar archive', is: at(257, 'ustar'), advice: 'unpack it first: tar -xf FILE' },
  {
    name: 'a Git LFS pointer',
    is: at(0, 'version https://git-lfs.github.com/spec/'),
    advice: 'fetch the file itself: git lfs pull',
  },
  disk('VDI', at(0x40, '\x7f\x10\xda\xbe')),
  disk('VMDK', either(at(0, 'KDMV'), at(0, 'COWD'), at(0, '# Disk DescriptorFile'))),
  disk('VHD', at(0, 'conectix')),
  disk('VHDX', at(0, 'vhdxfile')),
  disk('qcow2', at(0, 'QFI\xfb')),
  {
    name: 'an ELF file, perhaps a core of a machine',
    is: at(0, '\x7fELF'),
    advice: 'it holds memory at most; the devices are in a saved state (.sav)',
  },
  {
    name: 'a LiME image of memory',
    is: at(0, 'EMiL'),
    advice: 'it holds memory only; the devices are in a saved state (.sav)',
  },
  { name: 'a QEMU migration stream', is: at(0, 'QEVM'), ...OF_QEMU },
  {
    name: 'a saved machine of libvirt',
    is: either(at(0, 'LibvirtQemudSave'), at(0, 'LibvirtQemudPart')),
    ...OF_QEMU,
  },
  { name: 'a PNG image', is: at(0, '\x89PNG\r\n\x1a\n'), advice: SNAPSHOTS },
  { name: 'an ISO image', is: at(0x8001, 'CD001'), advice: `this is a disk; ${SNAPSHOTS}` },
  { name: 'a PDF file', is: at(0, '%PDF-'), advice: SNAPSHOTS },
];

/** Looks of whole files. The first that fits counts, so special ones stand before general ones. */
const LOOKS: readonly Signature[] = [
  {
    name: 'a file that starts with nothing but zeros',
    is: (head) => head.every((byte) => byte === 0),
    advice: 'a crash before the data was on disk? Look for another copy',
  },
  { name: 'the settings of a VirtualBox machine (.vbox)', is: text(/<VirtualBox\b/), advice: SNAPSHOTS },
  {
    name: 'a log of VirtualBox',
    is: text(/^(\S+ )?(VirtualBox VM |Log opened |VirtualBox )/),
    advice: 'have it explained: savkit explain FILE',
  },
  {
    name: 'a manifest of savkit',
    is: text(/^.{0,40}savkit\/manifest\//s),
    advice: 'compare a state with it: savkit verify --manifest FILE STATE',
  },
  {
    name: 'a web page',
    is: text(/^\s*<(!doctype html|html|head|body)\b/i),
    advice: 'the error page of a download? Fetch the file again',
  },
  { name: 'a text', is: text(/^[\t\n\r\x20-\x7e]+$/), advice: SNAPSHOTS },
];

/** @param head the first 64 KiB of the file, or all of a shorter one */
export function fileKindOf(head: Uint8Array): FileKind | undefined {
  const certain = SIGNATURES.find(({ is }) => is(head));
  const found = certain ?? LOOKS.find(({ is }) => is(head));
  return found && { ...found, isCertain: certain !== undefined };
}

function packed(format: string, magic: string, command: string): Signature {
  return { name: `a file packed with ${format}`, is: at(0, magic), advice: `unpack it first: ${command}` };
}

function disk(format: string, is: Signature['is']): Signature {
  return { name: `a disk image (${format})`, is, advice: SNAPSHOTS };
}

function at(offset: number, magic: string): Signature['is'] {
  return (head) => startsWith(head, offset, magic);
}

function either(...tests: Signature['is'][]): Signature['is'] {
  return (head) => tests.some((is) => is(head));
}

/** Tests the first 4 KiB, whose text may begin with a byte order mark. */
function text(pattern: RegExp): Signature['is'] {
  return (head) =>
    pattern.test(
      Buffer.from(head.subarray(0, 4096))
        .toString('latin1')
        .replace(/^\xef\xbb\xbf/, ''),
    );
}
