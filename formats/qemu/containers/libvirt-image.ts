import { hex, UnsupportedError } from '../../errors.ts';
import type { ByteSource } from '../../files/source.ts';
import { QemuFormatError } from '../qemu-error.ts';
import { readPart } from './read-part.ts';

/** The head of a save image of libvirt (`virsh save`, managed save), in front of QEMU's stream. */
export interface LibvirtImage {
  /** Version of the head: 1 or 2. */
  version: number;
  /** The machine ran when it was saved; `virsh restore` then lets it run, by default. */
  wasRunning: boolean;
  /** Format of the stream after the head. */
  compression: LibvirtCompression;
  /** The domain as libvirt's XML. */
  xml: string;
  /** XML, cookie and padding, as they follow the header. */
  data: Uint8Array;
  /** Offset of libvirt's cookie in `data`; 0 where there is none. */
  cookieOffset: number;
  /** libvirt has marked the image as complete. */
  isComplete: boolean;
  /** Bytes of the header; numbers are in the byte order of the writer. */
  header: Uint8Array;
  /** The header's field for `wasRunning`, as stored; libvirt writes 0 or 1. */
  runningWord: number;
  /** Offset of the stream in the file. */
  streamStart: number;
}

/** Formats of the stream after the head, by number. */
export const COMPRESSIONS = ['raw', 'gzip', 'bzip2', 'xz', 'lzop', 'zstd', 'sparse'] as const;
/** Form in which the stream of a save image is written; `sparse` is mapped RAM. */
export type LibvirtCompression = (typeof COMPRESSIONS)[number];

export const LIBVIRT_MAGIC = 'LibvirtQemudSave';
export const LIBVIRT_PART_MAGIC = 'LibvirtQemudPart';
export const LIBVIRT_HEADER_SIZE = 92;
/** The reserved rest of the header begins here. */
export const LIBVIRT_UNUSED = 36;
const VERSIONS = [1, 2];
/** XML, cookie and padding: 64 KiB of padding and some KiB of XML have been seen. */
const MAX_DATA = 64 * 1024 * 1024;

const latin1 = new TextDecoder('latin1');

/**
 * Reads the head of a save image. Source: qemu-stream.md 6. @param unfinished take an image that libvirt has not
 * finished, too
 */
export async function readLibvirtImage(source: ByteSource, unfinished = false): Promise<LibvirtImage> {
  const header = await readPart(source, 0, LIBVIRT_HEADER_SIZE, 'header of save image');
  const magic = latin1.decode(header.subarray(0, 16));
  if (magic === LIBVIRT_PART_MAGIC && !unfinished) {
    throw new QemuFormatError(
      'partial',
      'Cannot read save image: libvirt marks it as not finished; saving was cut off',
      { offset: 0 },
      'save image is incomplete',
    );
  }
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  // The header has the byte order of its writer: the order in which the version is a small number.
  const little = view.getUint32(16, true) <= 0xffff;
  const fields = [16, 20, 24, 28, 32].map((at) => view.getUint32(at, little));
  const [version, dataLength, wasRunning, format, cookieOffset] = fields;
  if (!VERSIONS.includes(version))
    throw new UnsupportedError('libvirt-version', `Cannot read save image: version ${version}, expected 1 or 2`, {
      offset: 16,
    });
  const compression = COMPRESSIONS[format];
  if (compression === undefined) {
    throw new UnsupportedError(
      'libvirt-format',
      `Cannot read save image: format ${format}, expected ` +
        `${COMPRESSIONS.map((name, i) => `${i} (${name})`).join(', ')}`,
      { offset: 28 },
    ).saying(`operation failed: unsupported save image format: ${format}`);
  }
  if (dataLength > MAX_DATA)
    throw new QemuFormatError(
      'too-long',
      `Cannot read save image: ${hex(dataLength)} bytes of XML, expected at most ${hex(MAX_DATA)}`,
      { offset: 20 },
    );
  const data = await readPart(source, LIBVIRT_HEADER_SIZE, dataLength, 'XML of save image');
  const end = data.indexOf(0);
  if (end < 0)
    throw new QemuFormatError(
      'bad-xml',
      'Cannot read save image: its XML has no end',
      { offset: LIBVIRT_HEADER_SIZE },
      'failed to read cookie',
    );
  return {
    version,
    wasRunning: wasRunning !== 0,
    header,
    runningWord: wasRunning,
    compression,
    xml: new TextDecoder().decode(data.subarray(0, end)),
    data,
    cookieOffset,
    isComplete: magic === LIBVIRT_MAGIC,
    streamStart: LIBVIRT_HEADER_SIZE + dataLength,
  };
}
