import { bytes, u8, u16, u32, u64 } from '../binary/kinds.ts';
import { defineStruct, type StructValue } from '../binary/struct.ts';

// The fixed parts of the container. The tables of FORMAT.md are made from these declarations.

export const MAGIC_SIZE = 32;
export const MAGIC_BASE = '\x7fVirtualBox SavedState ';
export const UNIT_MAGIC = '\nUnit\n\0\0';
export const END_MAGIC = '\nTheEnd\0';
export const DIRECTORY_MAGIC = '\nDir\n\0\0\0';
export const FOOTER_MAGIC = '\nFooter\0';

/** `SSM_PASS_FINAL` */
export const PASS_FINAL = 0xffffffff;

export const fileHeaderV1 = defineStruct('File header, V1.1 and V1.2', 'SSM.cpp, SSMFILEHDRV11', {
  magic: { kind: bytes(MAGIC_SIZE), doc: 'the format, padded with NUL' },
  fileSize: { kind: u64, doc: 'cbFile: must equal the file size' },
  crc: {
    kind: u32,
    doc: 'CRC-32 of (fileSize − header size) bytes from offset 44 on: the last bytes of the file are not covered',
  },
  reserved: { kind: u32, doc: 'written 0, not checked' },
  machineUuid: { kind: bytes(16), doc: 'must be all zero' },
});

export const versionV12 = defineStruct('File header, V1.2 continued', 'SSM.cpp, SSMFILEHDRV12', {
  major: { kind: u16, doc: 'VirtualBox version, 1…1000' },
  minor: { kind: u16, doc: '0…1000' },
  build: { kind: u32, doc: '0…1048576' },
  revision: { kind: u32, doc: 'svn revision, 1…10 000 000' },
  hostBits: { kind: u8, doc: '32 or 64' },
  gcPhysWidth: { kind: u8, doc: 'cbGCPhys: 4 or 8' },
  gcPtrWidth: { kind: u8, doc: 'cbGCPtr: 4 or 8' },
  reserved: { kind: u8, doc: 'written 0, not checked' },
});

export const unitHeaderV1 = defineStruct('Unit header, V1.x', 'SSM.cpp, SSMFILEUNITHDRV1', {
  magic: { kind: bytes(8), doc: 'unit or end magic; of the unit magic only 7 bytes are compared' },
  size: { kind: u64, doc: 'cbUnit: header, name and payload; end unit: 28' },
  version: { kind: u32, doc: 'unit version; end unit: 0' },
  instance: { kind: u32, doc: 'end unit: 0' },
  nameSize: { kind: u32, doc: 'length of the name that follows, with its NUL; end unit: 0' },
});

export const blockHeaderV1 = defineStruct('LZF block, V1.x', 'zip.cpp, RTZIPLZFHDR', {
  magic: { kind: u16, doc: '0x565A' },
  size: { kind: u16, doc: 'cbData: compressed bytes that follow, 1…16374' },
  crc: { kind: u32, doc: 'written 0, never checked' },
  decodedSize: { kind: u16, doc: 'cbUncompressed: 1…32768' },
});

export const fileHeaderV2 = defineStruct('File header, V2.0', 'SSM.cpp, SSMFILEHDR', {
  magic: { kind: bytes(MAGIC_SIZE), doc: 'the format, padded with NUL' },
  major: { kind: u16, doc: 'VirtualBox version, 1…1000' },
  minor: { kind: u16, doc: '0…1000' },
  build: { kind: u32, doc: '0…1048576' },
  revision: { kind: u32, doc: 'svn revision, 1…10 000 000' },
  hostBits: { kind: u8, doc: '32 or 64' },
  gcPhysWidth: { kind: u8, doc: 'cbGCPhys: 4 or 8' },
  gcPtrWidth: { kind: u8, doc: 'cbGCPtr: 4 or 8' },
  reserved: { kind: u8, doc: 'must be 0' },
  registeredUnits: { kind: u32, doc: 'cUnits: units registered with the machine, not those in the file; not checked' },
  flags: { kind: u32, doc: 'fFlags: bit 0 stream CRC, bit 1 live save; others 0' },
  maxDecompressed: { kind: u32, doc: 'cbMaxDecompr: 1024…4096, a multiple of 256' },
  crc: { kind: u32, doc: 'CRC-32 of the 64 bytes with this field 0' },
});

export const unitHeaderV2 = defineStruct('Unit header, V2.0', 'SSM.cpp, SSMFILEUNITHDRV2', {
  magic: { kind: bytes(8), doc: 'unit or end magic' },
  offset: { kind: u64, doc: 'offStream: offset of this header in the stream' },
  streamCrc: { kind: u32, doc: 'CRC-32 of everything before this header; 0 without stream CRC' },
  crc: { kind: u32, doc: 'CRC-32 of header and name with this field 0' },
  version: { kind: u32, doc: 'unit version' },
  instance: { kind: u32, doc: 'unit instance' },
  pass: { kind: u32, doc: '0, 1, 2 … in the live part; 0xFFFFFFFF final' },
  flags: { kind: u32, doc: 'must be 0' },
  nameSize: { kind: u32, doc: 'cbName: length of the name that follows, with its NUL; at most 48' },
});

export const termRecord = defineStruct('TERM record, V2.0', 'SSM.cpp, SSMRECTERM', {
  type: { kind: u8, doc: '0x91' },
  size: { kind: u8, doc: '0x0E: bytes that follow' },
  flags: { kind: u16, doc: 'bit 0: the CRC is valid' },
  streamCrc: { kind: u32, doc: 'CRC-32 of everything from offset 0 through the two bytes 91 0E' },
  unitSize: { kind: u64, doc: 'cbUnit: bytes of all records of the unit with this one, without the unit header' },
});

export const directoryHead = defineStruct('Directory, V2.0', 'SSM.cpp, SSMFILEDIR', {
  magic: { kind: bytes(8), doc: 'directory magic' },
  crc: { kind: u32, doc: 'CRC-32 of the whole directory with this field 0' },
  count: { kind: u32, doc: 'entries that follow, less than 65536' },
});

export const directoryEntry = defineStruct('Directory entry, V2.0', 'SSM.cpp, SSMFILEDIRENTRY', {
  offset: {
    kind: u64,
    doc: "offset of the unit's header, its last one in a live save; 0 allowed below revision 53365",
  },
  instance: { kind: u32, doc: 'unit instance' },
  nameCrc: { kind: u32, doc: 'CRC-32 of the name without its NUL' },
});
/** An entry of the directory: the place of a unit. FORMAT.md lists the fields. */
export type DirectoryEntry = StructValue<typeof directoryEntry>;

export const footer = defineStruct('Footer, V2.0', 'SSM.cpp, SSMFILEFTR', {
  magic: { kind: bytes(8), doc: 'footer magic' },
  offset: { kind: u64, doc: 'offStream: offset of the footer' },
  streamCrc: { kind: u32, doc: 'CRC-32 of everything before the footer; 0 without stream CRC' },
  directoryEntries: { kind: u32, doc: "equal to the directory's count" },
  reserved: { kind: u32, doc: 'must be 0' },
  crc: { kind: u32, doc: 'CRC-32 of the 32 bytes with this field 0' },
});

/**
 * The unit with the progress of a live save, between the other units. Source: SSM.cpp, ssmR3LiveControlLoadExec.
 */
export const LIVE_CONTROL = 'SSMLiveControl';
