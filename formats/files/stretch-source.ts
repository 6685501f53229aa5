import type { ByteSource } from './source.ts';

/** A stretch of a file, as a file of its own; closing it leaves the file open. Start and size in bytes. */
export function stretchOf(file: ByteSource, name: string, start: number, size: number): ByteSource {
  return {
    name: `${name} in ${file.name}`,
    size,
    seekable: file.seekable,
    read: (target, position) =>
      file.read(target.subarray(0, Math.min(target.length, Math.max(0, size - position))), start + position),
    close: async () => {},
  };
}
