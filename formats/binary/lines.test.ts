import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linesOf } from './lines.ts';

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  // The same memory for each chunk, as readers use it.
  const chunk = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    chunk.set(part);
    yield chunk.subarray(0, part.length);
  }
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const line of lines) list.push(line);
  return list;
}

describe('linesOf()', () => {
  it('gives the lines of any text, however its bytes are cut', async () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/[\r\n]/.test(text));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 30 }),
        async (texts, newline, size) => {
          const bytes = Buffer.from(texts.map((text) => text + newline).join(''));
          expect(await all(linesOf(inPieces(bytes, size), 200))).toEqual(texts);
        },
      ),
    );
  });

  it('keeps or drops what follows the last newline', async () => {
    const bytes = Buffer.from('a\nb');
    expect(await all(linesOf(inPieces(bytes, 2), 10))).toEqual(['a', 'b']);
    expect(await all(linesOf(inPieces(bytes, 2), 10, 'drop'))).toEqual(['a']);
  });

  it('ends at a line that is too long, before it has come', async () => {
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (; given < 1000; given++) yield new Uint8Array(100).fill(65);
    }
    await expect(all(linesOf(endless(), 250))).rejects.toMatchObject({ code: 'too-long' });
    expect(given).toBe(2);
  });
});
