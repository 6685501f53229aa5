import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Chunk, NOT_MAPPED } from './chunk.ts';
import { HostMemory } from './host-memory.ts';
import { MappingCache } from './mapping-cache.ts';
import { CHUNK_ID_SHIFT, offsetInChunk, PAGES_PER_CHUNK } from './page-id.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function use(cache: MappingCache, chunk: Chunk): void {
  cache.map(chunk);
}

function addedTo(cache: MappingCache, count: number): Chunk[] {
  return Array.from({ length: count }, (_, i) => {
    const chunk = new Chunk(i + 1);
    cache.add(chunk);
    return chunk;
  });
}

describe('MappingCache', () => {
  test('a guest of 6 chunks keeps its bytes with 2 in memory', () => {
    const host = new HostMemory({ maxMappedChunks: 2, folder });
    const account = host.openAccount();
    account.reserve({ base: 3072, shadow: 1, fixed: 1 }, 'no-over-commitment', 'normal');
    const ids = new Uint32Array(6 * PAGES_PER_CHUNK);
    account.allocatePages('base', ids);
    const step = 97;
    for (let i = 0; i < ids.length; i += step)
      host.chunkBytes(ids[i]).fill(i & 0xff, offsetInChunk(ids[i]), offsetInChunk(ids[i]) + PAGE_SIZE);
    for (let i = 0; i < ids.length; i++) {
      const expected = i % step === 0 ? i & 0xff : 0;
      expect(host.chunkBytes(ids[i])[offsetInChunk(ids[i]) + 123]).toBe(expected);
    }
    expect(host.figures).toMatchObject({ chunks: 6, mappedChunks: 2, maxMappedChunks: 2 });
    expect(host.figures.mappingMisses).toBeGreaterThan(6);
    host.close();
  });

  test('zeroes the pages of a chunk that takes the place of another, and those of a chunk ID that comes again', () => {
    const host = new HostMemory({ maxMappedChunks: 2, folder });
    const account = host.openAccount();
    account.reserve({ base: 3072, shadow: 1, fixed: 1 }, 'no-over-commitment', 'normal');
    const ids = new Uint32Array(6 * PAGES_PER_CHUNK);
    for (let round = 0; round < 2; round++) {
      account.allocatePages('base', ids);
      for (const id of ids) {
        const bytes = host.chunkBytes(id);
        expect(bytes[offsetInChunk(id)] | bytes[offsetInChunk(id) + PAGE_SIZE - 1]).toBe(0);
        bytes.fill(0xff, offsetInChunk(id), offsetInChunk(id) + PAGE_SIZE);
      }
      account.freePages('base', ids);
      host.trim();
    }
    host.close();
  });

  test('lets the chunk go that was out of use longest', () => {
    const cache = new MappingCache(8, folder);
    const chunks = addedTo(cache, 8);
    addedTo(cache, 1); // ages all; one goes
    const stillMapped = chunks.filter(({ age }) => age !== NOT_MAPPED);
    expect(stillMapped).toHaveLength(7);
    const [unused, ...used] = stillMapped;
    for (let i = 0; i < 20; i++) {
      for (const chunk of used) use(cache, chunk);
      cache.add(new Chunk(100 + i));
      if (i === 0) expect(unused.age).toBe(NOT_MAPPED);
    }
    cache.close();
  });

  test('keeps a pinned chunk, even when there is no room then', () => {
    const cache = new MappingCache(2, folder);
    const chunks = addedTo(cache, 2);
    for (const chunk of chunks) chunk.pins = 1;
    const [third, fourth] = [new Chunk(3), new Chunk(4)];
    cache.add(third);
    expect(cache.mapped).toBe(3);
    for (const chunk of chunks) chunk.pins = 0;
    cache.add(fourth);
    expect(cache.mapped).toBe(2);
    cache.close();
  });

  test('cuts ages down where 32 bits end, and keeps their order', () => {
    const cache = new MappingCache(6, folder, 0xffff_ffff);
    const chunks = addedTo(cache, 6);
    const [old, older, oldest] = chunks;
    use(cache, oldest);
    old.age = 0xffff_fff0;
    older.age = 0xffff_f001;
    oldest.age = 5;
    const others = chunks.slice(3);
    for (const expected of [oldest, older, old]) {
      for (const chunk of others) use(cache, chunk);
      cache.add(new Chunk(10 + chunks.indexOf(expected)));
      expect(expected.age, 'the next to go').toBe(NOT_MAPPED);
    }
    cache.close();
  });

  test('leaves nothing behind in the folder', () => {
    const host = new HostMemory({ maxMappedChunks: 2, folder });
    host.close();
    host.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('says where it cannot keep memory', () => {
    expect(() => new HostMemory({ maxMappedChunks: 2, folder: join(folder, 'missing') })).toThrow(
      /Cannot make a temporary file in .*missing/,
    );
  });

  test('a page ID that the host never gave is refused', () => {
    const host = new HostMemory({ maxMappedChunks: 2, folder });
    expect(() => host.chunkBytes(9 << CHUNK_ID_SHIFT)).toThrow(expect.objectContaining({ code: 'page-not-found' }));
    host.close();
  });
});
