import { describe, expect, it } from 'vitest';
import { mixedMachine } from '../testing/mixed-machine.ts';
import { Pair } from '../testing/pair.ts';
import { loadZstd, ZSTD_SOURCES, type Zstd, zstdContentSize, zstdOfNode } from './zstd.ts';

const pages = Buffer.from('guest memory '.repeat(1000)).subarray(0, 8192);
/** `pages` as Node 22.23 packs them. */
const PACKED = Buffer.from('28b52ffd60001fad0000686775657374206d656d6f7279200100f00ffdfc02', 'hex');

const here = (
  await Promise.all(Object.entries(ZSTD_SOURCES).map(async ([name, source]) => ({ name, zstd: await source() })))
).filter((each): each is { name: string; zstd: Zstd } => each.zstd !== undefined);

describe.each(here)('zstd of $name', ({ zstd }) => {
  it.each(here)('packs frames that tell their size, and that $name expands', ({ zstd: other }) => {
    const packed = zstd.compress(pages);
    expect(packed.length).toBeLessThan(200);
    expect(zstdContentSize(packed)).toBe(pages.length);
    expect(Buffer.compare(other.decompress(packed, pages.length), pages)).toBe(0);
  });

  it('expands what Node 22 has packed', () => {
    expect(Buffer.compare(zstd.decompress(PACKED, pages.length), pages)).toBe(0);
  });

  it.each([0, 1, 63, 64, 65, 256 * 4096])('packs and expands %i random bytes', (size) => {
    const bytes = Buffer.from(
      Uint32Array.from({ length: size / 4 + 1 }, (_, i) => Math.imul(i ^ (i >>> 3), 0x9e3779b1)).buffer,
    ).subarray(0, size);
    expect(Buffer.compare(zstd.decompress(zstd.compress(bytes), Math.max(size, 1)), bytes)).toBe(0);
  });

  it('expands no more than asked for, whatever stands in one frame or in several', () => {
    const bomb = zstd.compress(Buffer.alloc(1 << 25));
    expect(bomb.length).toBeLessThan(4096);
    expect(() => zstd.decompress(bomb, 8192)).toThrow();
    expect(() => zstd.decompress(Buffer.concat([PACKED, bomb]), 8192)).toThrow();
    expect(() => zstd.decompress(PACKED, 8191)).toThrow();
  });

  it('allocates nothing for a claim', () => {
    // A single segment of 1 TiB, and a window of 2 GiB, each with one empty block.
    const claims = ['28b52ffde00000000000010000010000', '28b52ffd80a80020000001000000'].map((hex) =>
      Buffer.from(hex, 'hex'),
    );
    for (const claim of claims) expect(expandedSize(zstd, claim)).not.toBe(8192);
  });

  it('throws for bytes that are no zstd, or only the beginning of it', () => {
    expect(() => zstd.decompress(Buffer.alloc(100, 7), 8192)).toThrow();
    expect(expandedSize(zstd, PACKED.subarray(0, 20))).not.toBe(8192);
  });
});

/** Bytes to which a source expands without an error. */
function expandedSize(zstd: Zstd, bytes: Uint8Array): number | undefined {
  try {
    return zstd.decompress(bytes, 8192).length;
  } catch {
    return undefined;
  }
}

describe('loadZstd', () => {
  const one: Zstd = { compress: (bytes) => bytes, decompress: (bytes) => bytes };
  const none = async () => undefined;

  it('takes the first source that has it, and goes on without any', async () => {
    expect(Object.keys(ZSTD_SOURCES)).toEqual(['node', 'zstd-napi']);
    expect(await loadZstd([none, async () => one])).toBe(one);
    expect(await loadZstd([none, none])).toBeUndefined();
  });

  it("finds none in a Node that has none, and Node's own since 22.15", async () => {
    expect(await zstdOfNode({ constants: {} })).toBeUndefined();
    const [major, minor] = process.versions.node.split('.').map(Number);
    expect((await zstdOfNode()) !== undefined).toBe(
      major > 23 || (major === 23 && minor >= 8) || (major === 22 && minor >= 15),
    );
  });
});

describe('a migration where one side has no zstd', () => {
  /** Runs an action that finds no zstd. */
  async function withoutZstd<T>(action: () => Promise<T>): Promise<T> {
    const kept = { ...ZSTD_SOURCES };
    for (const name of ['node', 'zstd-napi'] as const) ZSTD_SOURCES[name] = async () => undefined;
    try {
      return await action();
    } finally {
      Object.assign(ZSTD_SOURCES, kept);
    }
  }

  it.each(['source', 'target'])('sends pages as they are: %s', async (side) => {
    const pair = await (side === 'target' ? withoutZstd(() => Pair.create()) : Pair.create());
    const machine = mixedMachine();
    const go = () => pair.migrate(machine, { compression: 'always' });
    const { outcome, rounds } = await (side === 'source' ? withoutZstd(go) : go());
    expect(outcome).toBe('handed-over');
    expect(rounds.reduce((sum, { codecs }) => sum + codecs.zstd, 0)).toBe(0);
    expect(rounds[0].codecs.raw).toBeGreaterThan(0);
  });
});
