import { KIB } from '../../../formats/sizes.ts';
import type { Container } from '../../../formats/ssm/container.ts';
import { Encoding, type SegmentTable } from '../../../formats/ssm/segments.ts';
import type { ContainerWriter } from '../../../formats/ssm/writing/container-writer.ts';

/** Bytes that a container writer takes at once. */
const PIECE = 64 * KIB;
const scratch = new Uint8Array(PIECE);

/**
 * Copies the payload of the current unit: compressed blocks unchanged where the target container can hold them, unless
 * `recompress` is set.
 * @param tick called between tables of segments
 */
export async function copyPayload(
  container: Container,
  out: ContainerWriter,
  recompress: boolean,
  tick: () => void,
): Promise<void> {
  while (await container.nextSegments()) {
    const { segments } = container;
    for (let i = 0; i < segments.count; i++) {
      const { encoding, at, length, size, window } = segments;
      const isBlock = encoding[i] !== Encoding.RAW && !recompress;
      if (!isBlock || !out.putBlock(encoding[i], window.bytes, at[i], length[i], size[i]))
        await putDecoded(segments, i, out);
      if (out.isFull) await out.flush();
    }
    tick();
  }
}

async function putDecoded(segments: SegmentTable, i: number, out: ContainerWriter): Promise<void> {
  const { encoding, at, size, window } = segments;
  if (encoding[i] !== Encoding.RAW) {
    segments.decode(i, scratch, 0);
    out.put(scratch.subarray(0, size[i]));
    return;
  }
  for (let done = 0; done < size[i]; done += PIECE) {
    out.put(window.bytes.subarray(at[i] + done, at[i] + Math.min(size[i], done + PIECE)));
    if (out.isFull) await out.flush();
  }
}
