import { Readable } from 'node:stream';
import type { ByteSink } from '../../formats/files/sink.ts';
import { streamSource } from '../../formats/files/source.ts';
import { IGNORE_SHARED } from '../../formats/qemu/constants.ts';
import { QemuStreamReader } from '../../formats/qemu/stream/stream-reader.ts';
import { QemuStreamWriter } from '../../formats/qemu/writing/stream-writer.ts';
import { MAX_REST } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';

/**
 * Reads a stream of QEMU, and leaves out the memory in it that savkit moves itself. A QEMU that loads the result keeps
 * those pages as they are, since it does not check that the stream holds them.
 * @param moved names of the blocks that savkit moves
 * @param capabilities added to those that the stream names
 * @throws FormatError, UnsupportedError for a stream that is not understood
 */
export async function stripDevices(
  stream: Readable,
  moved: ReadonlySet<string>,
  capabilities: readonly string[] = [],
): Promise<Uint8Array> {
  const reader = await QemuStreamReader.open(streamSource(stream, 'the stream of QEMU'));
  const kept = new Kept();
  let writer: QemuStreamWriter | undefined;
  const beginCopy = () => {
    const { configuration, commands, blocks, sections } = reader;
    const [{ id: ramId, footer: footers }] = sections;
    const all = { ...configuration, capabilities: [...configuration.capabilities, ...capabilities] };
    const plan = { configuration: all, commands, blocks: blocks.all, ramId, footers, dropped: moved };
    return QemuStreamWriter.begin(kept, plan);
  };
  try {
    while (await reader.nextPages()) {
      writer ??= await beginCopy();
      await writer.take(reader.batch);
    }
    writer ??= await beginCopy();
    await writer.endMemory(reader.others);
    await writer.endWith((await reader.tail()).bytes);
    return kept.bytes;
  } finally {
    writer?.release();
    reader.release();
  }
}

/**
 * The devices in the form of a QEMU that leaves memory to a file (`x-ignore-shared`).
 * @throws as `stripDevices` does
 */
export function asOfSharedMemory(devices: Uint8Array): Promise<Uint8Array> {
  return stripDevices(Readable.from([devices]), new Set(), [IGNORE_SHARED]);
}

/** Keeps the output in memory, which has to be small enough to go to the target in one piece. */
class Kept implements ByteSink {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;

  async write(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length;
    if (this.#size > MAX_REST)
      throw new MigrationError(
        'too-much',
        `Cannot move devices: with the memory that QEMU keeps for itself they have more than ${MAX_REST} bytes`,
      );
    this.#pieces.push(bytes.slice());
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#pieces);
  }
}
