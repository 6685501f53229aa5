import { describe, expect, it } from 'vitest';
import { buildPgm } from '../testing/pgm-builder.ts';
import { PgmBytes } from '../testing/pgm-bytes.ts';
import type { Machine } from '../testing/pgm-machine.ts';
import {
  basicOf,
  configOf,
  joined,
  liveStateOf,
  type PgmParts,
  ramRecord,
  rangeRecord,
  stateOf,
  TINY,
} from '../testing/pgm-parts.ts';
import { readPgm } from '../testing/pgm-reading.ts';
import { stateV2 } from '../testing/pgm-states.ts';

// What the loader of VirtualBox 7.2.22 answers to changed pgm units (pgm-unit.md 7.2). Left out are the rows that ask
// about the machine the state is loaded into, which a file alone can't tell: a VCPU too many, another hole or RAM size,
// ROMs and MMIO2 ranges that the machine lacks or has in another size, which ROMs are shadowed, balloons without a host
// memory manager, the guest mode it recomputes. An MMIO2 range whose claimed size is smaller than its records is among
// them: here the claimed size is the only one.

const CHANGED = 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED';
const NO_RAM = 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS';
const NO_MMIO2 = 'VERR_PGM_SAVED_MMIO2_RANGE_NOT_FOUND';

const change = (bytes: Uint8Array, at: number, value: number) =>
  Uint8Array.from(bytes, (byte, i) => (i === at ? value : byte));
const basic = basicOf(TINY);
const config = configOf(TINY);
const withRom = (more: Partial<Machine['roms'][number]>) =>
  configOf({ ...TINY, roms: TINY.roms.map((rom, i) => (i === 0 ? { ...rom, ...more } : rom)) });
const [firstRom] = TINY.roms;

// In the config block: hole, RAM size, then the first ROM: id 12, device name 13, instance 17, region 21, description
// 22, address 36.
const ROM_ID = 12;
const ROM_INSTANCE = 17;
const ROM_REGION = 21;
const ROM_ADDRESS = 36;
const ROM_SIZE = 44;

const ANSWERS: [string, PgmParts, string | 'OK'][] = [
  ['nothing changed', {}, 'OK'],
  ['begin marker of the PGM structure', { basic: change(basic, 0, 3) }, 'VERR_SSM_STRUCTURE_MAGIC'],
  ['end marker of the PGM structure', { basic: change(basic, 21, 7) }, 'VERR_SSM_STRUCTURE_MAGIC'],
  ['begin marker of the VCPU structure', { basic: change(basic, 25, 3) }, 'VERR_SSM_STRUCTURE_MAGIC'],
  ['end marker of the VCPU structure', { basic: change(basic, 25 + 49, 7) }, 'VERR_SSM_STRUCTURE_MAGIC'],
  ['A20 mask all 55', { basic: basic.map((byte, i) => (i >= 30 && i < 38 ? 0x55 : byte)) }, 'OK'],
  ['guest mode 2', { basic: change(basic, 38, 2) }, 'OK'],
  ['guest mode 7', { basic: change(basic, 38, 7) }, 'OK'],
  ['VCPU structure missing', { basic: basic.slice(0, 25) }, 'VERR_SSM_STRUCTURE_MAGIC'],
  ['ROM id 0', { config: change(config, ROM_ID, 0) }, CHANGED],
  ['ROM instance 1', { config: change(config, ROM_INSTANCE, 1) }, CHANGED],
  ['ROM region 1', { config: change(config, ROM_REGION, 1) }, CHANGED],
  ['ROM address not page aligned', { config: change(config, ROM_ADDRESS, 1) }, CHANGED],
  ['ROM size not page aligned', { config: change(config, ROM_SIZE, 1) }, CHANGED],
  ['ROM id 200 with records for id 1', { config: change(config, ROM_ID, 200) }, 'VERR_PGM_SAVED_ROM_RANGE_NOT_FOUND'],
  ['ROM address other but aligned', { config: withRom({ address: 0xd0000 }) }, 'OK'],
  ['ROM size larger', { config: withRom({ pages: [...firstRom.pages, ...firstRom.pages] }) }, 'OK'],
  ['ROM description of 64 bytes', { config: withRom({ description: 'x'.repeat(64) }) }, 'VERR_TOO_MUCH_DATA'],
  ['ROM description of 63 bytes', { config: withRom({ description: 'x'.repeat(63) }) }, 'OK'],
  [
    'MMIO2 description other',
    { config: configOf({ ...TINY, mmio2: TINY.mmio2.map((range) => ({ ...range, description: 'other' })) }) },
    'OK',
  ],
  ['front: type 09', { front: new PgmBytes().u8(9) }, CHANGED],
  ['front: type 7F', { front: new PgmBytes().u8(0x7f) }, CHANGED],
  ['front: RAM_ZERO 0x1001', { front: ramRecord(0, 0x1001) }, CHANGED],
  ['front: un-addressed RAM_ZERO first', { front: ramRecord(0) }, CHANGED],
  ['front: MMIO2_ZERO then un-addressed RAM_ZERO', { front: joined(rangeRecord(3, 1), ramRecord(0)) }, CHANGED],
  ['front: ROM_PROT then un-addressed RAM_ZERO', { front: joined(rangeRecord(7, 1), ramRecord(0)) }, 'OK'],
  ['front: RAM_ZERO at 4 GiB', { front: ramRecord(0, 2 ** 32) }, NO_RAM],
  ['front: RAM_RAW at 4 GiB', { front: ramRecord(1, 2 ** 32) }, NO_RAM],
  ['front: RAM_RAW at 0xD0000', { front: ramRecord(1, 0xd0000) }, NO_RAM],
  ['front: RAM_ZERO at 0xA0000', { front: ramRecord(0, 0xa0000) }, 'OK'],
  ['front: RAM_ZERO at 0xD0000', { front: ramRecord(0, 0xd0000) }, 'OK'],
  ['front: RAM_ZERO at 0xF0000', { front: ramRecord(0, 0xf0000) }, 'OK'],
  ['front: un-addressed MMIO2_ZERO', { front: rangeRecord(3) }, NO_MMIO2],
  [
    'front: un-addressed MMIO2_ZERO after a RAM record',
    { front: joined(rangeRecord(3, 1), ramRecord(0, 0), rangeRecord(3)) },
    NO_MMIO2,
  ],
  ['front: MMIO2 id 9', { front: rangeRecord(3, 9) }, NO_MMIO2],
  ['front: ROM_PROT then un-addressed MMIO2_ZERO', { front: joined(rangeRecord(7, 1), rangeRecord(3)) }, 'OK'],
  ['MMIO2 page beyond the range', { front: rangeRecord(3, 1, 3) }, 'VERR_PGM_SAVED_MMIO2_PAGE_NOT_FOUND'],
  ['ROM id 9', { front: rangeRecord(7, 9) }, 'VERR_PGM_SAVED_ROM_RANGE_NOT_FOUND'],
  ['ROM page beyond the range', { front: rangeRecord(7, 1, 1) }, 'VERR_PGM_SAVED_ROM_PAGE_NOT_FOUND'],
  ['protection 0', { end: new PgmBytes().u8(0x87).u8(4).u32(0).u8(0) }, 'VERR_PGM_SAVED_ROM_PAGE_PROT'],
  ['protection 5', { end: new PgmBytes().u8(0x87).u8(4).u32(0).u8(5) }, 'VERR_PGM_SAVED_ROM_PAGE_PROT'],
  ['end: protection 2 on the shadowed ROM', { end: new PgmBytes().u8(0x87).u8(4).u32(0).u8(2) }, 'OK'],
  ['FF missing', { last: new PgmBytes() }, 'VERR_SSM_LOADED_TOO_MUCH'],
  ['a byte after FF', { last: new PgmBytes().u8(0xff).u8(0) }, 'VERR_SSM_LOADED_TOO_LITTLE'],
];

/** `OK`, or the loader's code of what was thrown. */
async function answerOf(state: Uint8Array): Promise<string | undefined> {
  return readPgm(state).then(
    () => 'OK',
    (error) => error.vboxCode,
  );
}

describe('PgmReader answers as the loader of 7.2.22', () => {
  it.each(ANSWERS)('%s', async (_, parts, answer) => {
    expect(await answerOf(stateOf(parts))).toBe(answer);
  });

  it.each([5, 15])('version %i: refused as unsupported', async (version) => {
    const state = stateV2([{ version, payload: buildPgm(TINY, 14) }]);
    await expect(readPgm(state)).rejects.toMatchObject({
      name: 'UnsupportedError',
      vboxCode: 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION',
    });
  });

  it.each([10, 11, 12, 13])('converted to version %i: OK', async (version) => {
    expect(await answerOf(stateOf({}, version))).toBe('OK');
  });

  const mappings = ['one', 'two'].map((description) => ({ description, address: 0xa0000000n, pageTables: 4n }));
  const mapped = basicOf({ ...TINY, mappings }, 13);
  it('version 13 with two mapping entries of unknown names: OK', async () => {
    expect(await answerOf(stateOf({ basic: mapped }, 13))).toBe('OK');
  });

  it('version 13, second mapping numbered 2: FORMAT_CHANGED', async () => {
    const second = 25 + 21 + 27;
    expect(mapped[second]).toBe(1);
    expect(await answerOf(stateOf({ basic: change(mapped, second, 2) }, 13))).toBe(CHANGED);
  });

  it.each([10, 12, 14])('RAM_BALLOONED in version %i: the type is accepted', async (version) => {
    expect(await answerOf(stateOf({ end: ramRecord(8, 0x1000) }, version))).toBe('OK');
  });

  it('no records but FF: OK', async () => {
    expect(
      await answerOf(stateV2([{ version: 14, payload: new PgmBytes().raw(basic).raw(config).u8(0xff).done() }])),
    ).toBe('OK');
  });
});

describe('PgmReader answers to live saves as the loader of 7.2.22', () => {
  const live = (passes: [number | 'final', PgmBytes][]) =>
    stateV2(
      passes.map(([pass, payload]) => ({ version: 14, pass, payload: payload.done() })),
      { live: true },
    );
  const pass0 = () => joined(new PgmBytes().raw(config), new PgmBytes().u8(0xff));
  const final = () => joined(new PgmBytes().raw(basic), ramRecord(0, 0x3000), new PgmBytes().u8(0xff));
  const pass = (type: number) => joined(ramRecord(type, 0x1000), new PgmBytes().u8(0xff));

  it('live passes in reverse order: OK, and the last in the file counts', async () => {
    const { memory } = await readPgm(
      live([
        [2, pass(1)],
        [1, pass(0)],
        [0, pass0()],
        ['final', final()],
      ]),
    );
    expect(memory.get('ram 0x1000')).toBe('zero');
  });

  it('final pgm unit missing: OK', async () => {
    expect(
      await answerOf(
        live([
          [0, pass0()],
          [1, pass(1)],
        ]),
      ),
    ).toBe('OK');
  });

  it('pass-0 pgm unit missing: the MMIO2 range is not found', async () => {
    const mmio2 = joined(rangeRecord(3, 1), new PgmBytes().u8(0xff));
    expect(
      await answerOf(
        live([
          [1, mmio2],
          ['final', final()],
        ]),
      ),
    ).toBe(NO_MMIO2);
  });

  it.each([6, 7, 8, 9])('version %i in a live pass: refused as unsupported', async (version) => {
    const state = stateV2([{ version, pass: 0, payload: buildPgm(TINY, version) }], { live: true });
    expect(await answerOf(state)).toBe('VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION');
  });

  it('a whole live save: OK', async () => {
    expect(await answerOf(liveStateOf([new PgmBytes(), ramRecord(1, 0), new PgmBytes()]))).toBe('OK');
  });
});
