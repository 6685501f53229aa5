import { hex, UnsupportedError } from '../errors.ts';
import { COMMANDS, MAX_NAME, PartType, STREAM_MAGIC, STREAM_VERSION } from './constants.ts';
import { QemuFormatError } from './qemu-error.ts';
import type { StreamBytes } from './stream-bytes.ts';

/** The configuration of a stream, before its first section. */
export interface QemuConfiguration {
  /** Machine type such as `pc-i440fx-7.2`; absent from streams of machine types before 2.4. */
  machine?: string;
  /** Capabilities on which both sides have to agree: `mapped-ram`, `x-ignore-shared`. */
  capabilities: string[];
  /** log2 of the guest's page size, where the architecture leaves it open. */
  pageBits?: number;
  /** 32 hexadecimal digits. */
  uuid?: string;
}

/** Names of the configuration's parts. Source: qemu-stream.md 2. */
export const CAPABILITIES_PART = 'configuration/capabilities';
export const PAGE_BITS_PART = 'configuration/target-page-bits';
export const UUID_PART = 'configuration/uuid';

/** @throws QemuFormatError `not-qemu` for any other file, UnsupportedError for another version of the stream */
export async function readStreamHeader(bytes: StreamBytes): Promise<void> {
  const offset = bytes.offset;
  const magic = await bytes.u32('magic');
  if (magic !== STREAM_MAGIC) {
    throw new QemuFormatError(
      'not-qemu',
      `Cannot read stream at ${hex(offset)}: it begins with ${hex(magic)}, expected "QEVM"`,
      { offset },
      'Not a migration stream',
    );
  }
  const version = await bytes.u32('stream version');
  if (version !== STREAM_VERSION)
    throw new UnsupportedError('stream-version', `Cannot read stream: version ${version}, expected ${STREAM_VERSION}`, {
      offset: offset + 4,
    }).saying('Unsupported migration stream version');
}

/**
 * Reads the configuration after its type byte.
 * @throws FormatError for damage, UnsupportedError for a subsection of unknown length
 */
export async function readConfiguration(bytes: StreamBytes): Promise<QemuConfiguration> {
  const configuration: QemuConfiguration = { capabilities: [] };
  configuration.machine = await boundedText(bytes, 'machine type', 'Failed to load configuration:name');
  while ((await bytes.peek('type of the next part')) === PartType.SUBSECTION) {
    const offset = bytes.offset;
    await bytes.u8('configuration');
    const name = await bytes.name('name of a part of the configuration');
    const version = await bytes.u32(`version of ${name}`);
    if (version !== PART_VERSION) throw unknownPart(`version ${version} of its part ${JSON.stringify(name)}`, offset);
    if (name === CAPABILITIES_PART) {
      const count = await bytes.u32('number of capabilities');
      if (count + configuration.capabilities.length > MAX_NAME) throw tooMuch('number of capabilities', offset, count);
      for (let i = 0; i < count; i++) configuration.capabilities.push(await bytes.name('capability'));
    } else if (name === PAGE_BITS_PART) configuration.pageBits = await bytes.u32(name);
    else if (name === UUID_PART) configuration.uuid = Buffer.from(await bytes.copy(16, name)).toString('hex');
    else throw unknownPart(`its part ${JSON.stringify(name)}`, offset);
  }
  return configuration;
}

/** Version of all known parts. */
export const PART_VERSION = 1;

function unknownPart(what: string, offset: number): UnsupportedError {
  const message = `Cannot read configuration: ${what} is not known, and so is its length`;
  return new UnsupportedError('unknown-part', message, { offset });
}

async function boundedText(bytes: StreamBytes, what: string, qemuSays: string): Promise<string> {
  const { offset } = bytes;
  const length = await bytes.u32(`length of the ${what}`);
  if (length > MAX_NAME) throw tooMuch(`length of the ${what}`, offset, length, qemuSays);
  return bytes.text(length, what);
}

function tooMuch(what: string, offset: number, found: number, qemuSays?: string): QemuFormatError {
  return new QemuFormatError(
    'too-long',
    `Cannot read ${what} at ${hex(offset)}: ${found}, expected at most ${MAX_NAME}`,
    { offset },
    qemuSays,
  );
}

/** A command between sections. */
export interface QemuCommand {
  /** Number of the command in the stream. */
  number: number;
  /** QEMU's name for it. */
  name: string;
  /** Content of the command, as hexadecimal text. */
  bytes: string;
}

/** Reads a command after its type byte. @throws UnsupportedError for a command that occurs in migrations only */
export async function readCommand(bytes: StreamBytes): Promise<QemuCommand> {
  const offset = bytes.offset - 1;
  const number = await bytes.u16('command');
  const length = await bytes.u16('length of a command');
  const name = COMMANDS[number];
  if (name === undefined) {
    throw new UnsupportedError(
      'migration-under-way',
      `Cannot read stream: command ${number} at ${hex(offset)} belongs to a migration that goes on over ` +
        'another connection',
      { offset },
    );
  }
  return { number, name, bytes: Buffer.from(await bytes.copy(length, `command ${number}`)).toString('hex') };
}
