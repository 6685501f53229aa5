import { type ByteSource, readFrom, withBeside } from './source.ts';

/**
 * The first bytes of a source, and a source that still has them: a pipe gives them only once.
 * @param count at most; fewer where the source ends before
 */
export async function peek(source: ByteSource, count: number): Promise<{ head: Uint8Array; source: ByteSource }> {
  const target = new Uint8Array(count);
  const head = target.subarray(0, await readFrom(source, target, 0));
  return { head, source: source.seekable ? source : withHead(source, head) };
}

function withHead(source: ByteSource, head: Uint8Array): ByteSource {
  return {
    ...withBeside(source, {}),
    async read(target, position) {
      const again = position < head.length ? head.subarray(position, position + target.length) : head.subarray(0, 0);
      target.set(again);
      if (again.length === target.length) return again.length;
      return again.length + (await source.read(target.subarray(again.length), position + again.length));
    },
  };
}
