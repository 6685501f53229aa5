// Numbers of QEMU's migration stream. Source: qemu-stream.md 2 and 3.

/** "QEVM", the first word of a stream. */
export const STREAM_MAGIC = 0x5145564d;
export const STREAM_VERSION = 3;

/** The first byte of each part of a stream. */
export const PartType = {
  END_MARK: 0x00,
  START: 0x01,
  PART: 0x02,
  END: 0x03,
  FULL: 0x04,
  SUBSECTION: 0x05,
  DESCRIPTION: 0x06,
  CONFIGURATION: 0x07,
  COMMAND: 0x08,
  FOOTER: 0x7e,
} as const;

export const RAM_SECTION = 'ram';
/** Sections in parts, of PCs, that savkit cannot read: contents of disks, and devices that QEMU does not emulate. */
export const OTHER_PARTED = /^(block|dirty-bitmap|pbs-state)$|\/vfio$/;
/** The only version of section `ram` in use. */
export const RAM_VERSION = 4;

/** Flags in the low 12 bits of the word that begins each RAM record. */
export const RamFlag = {
  FULL: 0x01,
  FILL: 0x02,
  BLOCK_LIST: 0x04,
  PAGE: 0x08,
  END: 0x10,
  SAME_BLOCK: 0x20,
  XBZRLE: 0x40,
  HOOK: 0x80,
  COMPRESSED: 0x100,
  MULTIFD_FLUSH: 0x200,
} as const;

/** Commands that a file may hold (`MIG_CMD_*`); any other belongs to a migration under way. */
export const COMMANDS: Record<number, string> = {
  1: 'open return path',
  2: 'ping',
  3: 'postcopy advise',
  11: 'switchover start',
};

/** Capabilities that change the layout of the stream; the configuration names them. */
export const MAPPED_RAM = 'mapped-ram';
export const IGNORE_SHARED = 'x-ignore-shared';
/** All capabilities that a configuration can name. */
export const NAMED_CAPABILITIES: readonly string[] = [MAPPED_RAM, IGNORE_SHARED];

/** Maximum number of blocks in a list; a domain of a thousand devices has some hundred. */
export const MAX_BLOCKS = 4096;
/**
 * Maximum number of sections in parts and commands of a stream; QEMU writes some 20 in a second of a live migration.
 */
export const MAX_PARTS = 131072;
/** Maximum size, in bytes, of a machine type, or of the name of a capability. */
export const MAX_NAME = 255;
/**
 * Maximum size, in bytes, of devices and description together: real states have 40 to 200 KB, some MiB with graphics
 * memory of devices.
 */
export const MAX_TAIL = 64 * 1024 * 1024;
/** Bytes that devices and description of most states take. */
export const USUAL_TAIL = 4 * 1024 * 1024;

/** Bytes of a section's head before its name (type, id, length of the name) and after it (instance, version). */
export const BEFORE_NAME = 1 + 4 + 1;
export const AFTER_NAME = 4 + 4;
