import { describe, expect, it } from 'vitest';
import { buildLivePgm, buildPgm } from '../testing/pgm-builder.ts';
import { PgmBytes } from '../testing/pgm-bytes.ts';
import { fullExample, LIVE_EXAMPLE, LIVE_PASSES, PA, SMALLEST } from '../testing/pgm-examples.ts';
import { emptyMachine } from '../testing/pgm-machine.ts';
import { expectedMemory } from '../testing/pgm-memory.ts';
import { readPgm } from '../testing/pgm-reading.ts';
import { liveUnits, stateV2 } from '../testing/pgm-states.ts';
import { stateV1 } from '../testing/pgm-states-v1.ts';
import { PGM_VERSIONS } from './versions.ts';

const versions = PGM_VERSIONS.map(({ version }) => version);

const CONTAINERS: [string, (version: number, payload: Uint8Array) => Uint8Array][] = [
  ['V2.0', (version, payload) => stateV2([{ version, payload }])],
  ['V1.2', (version, payload) => stateV1('1.2', [{ version, payload }])],
  ['V1.2, stored', (version, payload) => stateV1('1.2', [{ version, payload }], { blocks: 'store' })],
];

describe.each(CONTAINERS)('PgmReader in a container %s', (_, wrap) => {
  it.each(versions)('reads the smallest payload of version %i: one CPU, no pages', async (version) => {
    const { reader, memory } = await readPgm(wrap(version, buildPgm(SMALLEST, version)));
    expect(reader.version?.version).toBe(version);
    expect(reader.basic).toMatchObject({ cpus: [{ a20Enabled: true, guestMode: 1 }], balloonedPages: 0, mappings: [] });
    expect(memory.size).toBe(0);
  });

  it.each(versions)('reads the full payload of version %i', async (version) => {
    const machine = fullExample(version);
    const { reader, memory } = await readPgm(wrap(version, buildPgm(machine, version)));
    expect(reader.basic?.cpus.map(({ guestMode }) => guestMode)).toEqual(machine.cpus.map(({ mode }) => mode));
    expect(reader.basic?.balloonedPages).toBe(version >= 12 ? 1 : 0);
    expect(reader.basic?.mappings).toEqual(version <= 13 ? machine.mappings : []);
    expect(memory).toEqual(expectedMemory(machine, version));
  });
});

describe('PgmReader with guest pointers of 4 bytes', () => {
  const mappings = [{ description: 'VMM', address: 0xa0000000n, pageTables: 2n }];
  const machine = { ...fullExample(6), mappings };

  it.each([4, 8] as const)('V1.1: finds by the separator that version 6 has pointers of %i bytes', async (width) => {
    for (const described of [SMALLEST, machine]) {
      const { reader, memory } = await readPgm(
        stateV1('1.1', [{ version: 6, payload: buildPgm(described, 6, width) }]),
      );
      expect(reader.basic?.mappings).toEqual(described.mappings);
      expect(memory).toEqual(expectedMemory(described, 6));
    }
  });

  it.each([4, 8] as const)('V1.2: takes %i bytes from the header', async (gcPtr) => {
    const { reader, memory } = await readPgm(
      stateV1('1.2', [{ version: 6, payload: buildPgm(machine, 6, gcPtr) }], { gcPtr }),
    );
    expect(reader.basic?.mappings).toEqual(mappings);
    expect(memory).toEqual(expectedMemory(machine, 6));
  });
});

describe('PgmReader with a live save', () => {
  it('reads the worked example: passes 0, 1 and final', async () => {
    const { reader, memory } = await readPgm(
      stateV2(liveUnits(14, buildLivePgm(LIVE_EXAMPLE, 14, LIVE_PASSES)), { live: true }),
    );
    expect(memory).toEqual(expectedMemory(LIVE_EXAMPLE, 14, LIVE_PASSES.flat()));
    expect(reader.basic?.balloonedPages).toBe(1);
    expect(reader.config?.roms.map(({ description }) => description)).toEqual(['PC BIOS']);
  });

  it('knows the pass-0 unit by its pass, not by a flag in the file header', async () => {
    const { memory } = await readPgm(
      stateV2(liveUnits(14, buildLivePgm(LIVE_EXAMPLE, 14, LIVE_PASSES)), { live: false }),
    );
    expect(memory).toEqual(expectedMemory(LIVE_EXAMPLE, 14, LIVE_PASSES.flat()));
  });

  it('finds the final pass of one CPU whose payload ends right after its structure', async () => {
    const passes = buildLivePgm(SMALLEST, 14, [[], []]);
    const { reader } = await readPgm(stateV2(liveUnits(14, passes), { live: true }));
    expect(reader.basic?.cpus.length).toBe(1);
    expect(passes[1].length).toBe(25 + 53 + 1);
  });
});

describe('RAM size', () => {
  it('comes from the config block, from version 11 on', async () => {
    const { reader } = await readPgm(stateV2([{ version: 11, payload: buildPgm(fullExample(11), 11) }]), 99);
    expect(reader.ramSize).toBe(0x6000);
  });

  it('comes from the mm unit in version 10, and bounds the RAM there', async () => {
    const state = stateV2([{ version: 10, payload: buildPgm(fullExample(10), 10) }]);
    expect((await readPgm(state, 0x6000)).reader.ramSize).toBe(0x6000);
    await expect(readPgm(state, 0x5000)).rejects.toMatchObject({ vboxCode: 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS' });
  });

  it('comes from the basic part in version 6', async () => {
    const { reader } = await readPgm(stateV2([{ version: 6, payload: buildPgm(fullExample(6), 6) }]));
    expect(reader.ramSize).toBe(0x100000);
  });
});

describe('pages of versions 7 to 9', () => {
  const rangeOf = (version: number, pages: PgmBytes, count = 1) => {
    const out = new PgmBytes().raw(buildPgm(SMALLEST, version).slice(0, -4));
    out
      .u32(0)
      .u64(0xe2000)
      .u64(0xe2000 + count * 4096 - 1)
      .u64(count * 4096)
      .u8(0)
      .text('range');
    return stateV2([{ version, payload: out.raw(pages.done()).u32(0xffffffff).done() }]);
  };

  it.each([
    [1, 'virgin', 'shadow'],
    [2, 'virgin', 'shadow'],
    [3, 'shadow', 'virgin'],
    [4, 'shadow', 'virgin'],
  ])('of a shadowed ROM with protection %i hold the %s page first', async (protection, first, second) => {
    const { memory } = await readPgm(rangeOf(9, new PgmBytes().u8(4).u8(protection).u8(1).raw(PA).u8(0)));
    const named = expectedMemory(emptyMachine({ ram: new Map([[0, PA]]) }), 9).get('ram 0x0');
    expect(memory.get(`${first} 0xe2000`)).toBe(named);
    expect(memory.get(`${second} 0xe2000`)).toBe('zero');
    expect(memory.get('protection 0xe2000')).toBe(protection);
  });

  it.each([
    ['an unknown type', new PgmBytes().u8(7).u8(0), 'VERR_SSM_UNEXPECTED_DATA'],
    ['a protection of 5', new PgmBytes().u8(4).u8(5).u8(0).u8(0), 'VERR_SSM_UNEXPECTED_DATA'],
    ['an unknown state', new PgmBytes().u8(1).u8(2), 'VERR_PGM_INVALID_SAVED_PAGE_STATE'],
  ])('with %s are refused', async (_, page, vboxCode) => {
    await expect(readPgm(rangeOf(8, page))).rejects.toMatchObject({ vboxCode });
  });

  it('come with their types as runs', async () => {
    const pages = new PgmBytes().u8(1).u8(0).u8(1).u8(0).u8(6).u8(0).u8(0).u8(0);
    const { reader } = await readPgm(rangeOf(7, pages, 4));
    expect(reader.oldRanges[0].runs).toEqual([
      { type: 1, page: 0, count: 2 },
      { type: 6, page: 2, count: 1 },
      { type: 0, page: 3, count: 1 },
    ]);
  });
});
