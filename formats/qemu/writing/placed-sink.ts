import type { ByteSink, SeekableSink } from '../../files/sink.ts';

/** Bytes for one stretch of a file after the other. */
export class PlacedSink implements ByteSink {
  /** The file with all its places. */
  readonly file: SeekableSink;
  /** Where the next bytes go. */
  position: number;

  constructor(file: SeekableSink, position: number) {
    this.file = file;
    this.position = position;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.file.writeAt(bytes, this.position);
    this.position += bytes.length;
  }
}
