import type { ByteSink } from '../../formats/files/sink.ts';

/** A sink that knows how many bytes it has taken. */
export class CountedSink implements ByteSink {
  readonly #sink: ByteSink;
  written = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#sink.write(bytes);
    this.written += bytes.length;
  }
}
