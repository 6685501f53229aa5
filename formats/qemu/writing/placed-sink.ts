import type { ByteSink, SeekableSink } from '../../files/sink.ts';

/** Sink that writes at a place in a file; the place can be changed. */
export class PlacedSink implements ByteSink {
  /** The file itself, for other places in it. */
  readonly file: SeekableSink;
  /** Offset of the next bytes. */
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
