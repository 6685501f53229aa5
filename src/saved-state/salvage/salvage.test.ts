import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FormatError, UsageError } from '../../../formats/errors.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { rawRecord, type UnitSpec } from '../../../formats/testing/container-builder.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { buildPgm, encodeRecords } from '../../../formats/testing/pgm-builder.ts';
import { PgmBytes } from '../../../formats/testing/pgm-bytes.ts';
import { fullExample } from '../../../formats/testing/pgm-examples.ts';
import { plainRecords } from '../../../formats/testing/pgm-machine.ts';
import { cutCompressed, rawRecord as pgmRecord, pieces, stateV2 } from '../../../formats/testing/pgm-states.ts';
import { type BrokenState, brokenStates, buildBroken, originalBytes } from '../../testing/broken-states.ts';
import { naiveMemory } from '../../testing/naive-pages.ts';
import { oldState } from '../../testing/old-states.ts';
import { judgeSalvage, lostByCut, type Original, originalOf } from '../../testing/salvage-judge.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { check } from '../check/check.ts';
import { INCOMPLETE_UNIT } from '../reading/incomplete-unit.ts';
import { verify } from '../verify/verify.ts';
import { salvage } from './salvage.ts';
import type { SalvageOptions } from './salvage-options.ts';
import type { SalvageReport } from './salvage-report.ts';

const originals = new Map<string, Original>();
function original(file: string): Original {
  const known = originals.get(file) ?? originalOf(readFileSync(join(STATES_FOLDER, file)));
  originals.set(file, known);
  return known;
}

function expand([first, last]: [string, string]): string[] {
  const [, group, start] = /^(.*) 0x([0-9a-f]+)$/.exec(first) ?? [];
  const end = Number.parseInt(last.split('0x')[1], 16);
  const keys: string[] = [];
  for (let at = Number.parseInt(start, 16); at <= end; at += 4096) keys.push(`${group} 0x${at.toString(16)}`);
  return keys;
}

/** Names of units of which something is gone; of pgm the list of pages tells more. */
function gone({ kept }: SalvageReport, { units }: Original): string[] {
  const has = (unit: { name: string; instance: number }, pass: string | number) =>
    kept.some((own) => own.name === unit.name && own.instance === unit.instance && own.pass === pass);
  const names = new Set(
    units.filter((unit) => !has(unit, unit.pass === 0xffffffff ? 'final' : unit.pass)).map(({ name }) => name),
  );
  if (kept.some(({ name }) => name === 'pgm')) names.delete('pgm');
  return [...names].sort();
}

describe('salvage() of test-vectors/broken', () => {
  for (const state of brokenStates()) {
    it(`keeps of ${state.name} what is not lost, and says what is`, async () => {
      const judged = await judgeSalvage(original(state.of), buildBroken(state));
      const { truth } = state;
      expect(judged.faults).toEqual([]);
      expect(judged.wrong).toEqual([]);
      expect(judged.report === undefined ? 'nothing' : judged.report.complete ? 'complete' : 'partly').toBe(
        truth.salvage,
      );
      if (!judged.report) return;
      expect(judged.report.repaired.length).toBe(truth.repairedBits ?? 0);
      expect(gone(judged.report, original(state.of))).toEqual([...truth.unitsGone].sort());
      expect([...judged.lost].sort()).toEqual(truth.lost.flatMap(expand).sort());
      expect(judged.lost.size).toBe(truth.lostPages);
      expect(judged.stale.size).toBe(truth.stalePages ?? 0);
    });
  }
});

const cutIn = (name: string): BrokenState => {
  const found = brokenStates().find((state) => state.name === name);
  if (!found) throw new Error(`no broken state ${name}`);
  return found;
};

describe('salvage()', () => {
  it('writes good states as they are', async () => {
    for (const file of ['own-long.sav', 'own-long-live.sav']) {
      const judged = await judgeSalvage(original(file), original(file).bytes);
      expect(judged.report).toMatchObject({ complete: true, loadable: true, dropped: [], lost: [], findings: [] });
    }
  });

  it('lists exactly what a cut takes, wherever it is', async () => {
    for (const file of ['own-pae.sav', 'own-long-live.sav']) {
      const state = original(file);
      for (let percent = 5; percent < 100; percent += 18) {
        const cut = Math.floor((state.bytes.length * percent) / 100);
        const judged = await judgeSalvage(state, state.bytes.subarray(0, cut));
        const truth = lostByCut(state, cut);
        expect(judged.faults).toEqual([]);
        expect(judged.lost).toEqual(truth.lost);
        expect(judged.stale).toEqual(truth.stale);
      }
    }
  });

  it('leaves out a damaged record of a page that has a good one after it', async () => {
    const machine = fullExample(14);
    const records = encodeRecords(plainRecords(machine), 14).length + 1;
    const page = new PgmBytes().u8(0x81).u64(0x1000).done();
    // A copy of bytes before the first one.
    const damaged = Buffer.of(0x93, 3, 4, 0x20, 0x10);
    const cut = (payload: Uint8Array) => [
      ...pieces(payload.subarray(0, -records), 4096).map(pgmRecord),
      ...[pgmRecord(page), damaged],
      ...cutCompressed(4)(payload.subarray(-records)),
    ];
    const state = stateV2([{ version: 14, payload: buildPgm(machine, 14) }], { cut });
    const sink = new MemorySink();
    const { lost, written } = await salvage(bufferSource(state), sink);
    expect(lost).toMatchObject([{ group: 'RAM', first: 3, last: 4 }]);
    expect(written.findings.map(({ code }) => code)).toEqual(['no-cpum', 'incomplete', 'pages-missing']);
  });

  it('makes nothing up: without `fill` lost pages are not in the output, and VirtualBox has a unit that it does not know', async () => {
    const { output, held, report, lost } = await judgeSalvage(
      original('own-long.sav'),
      buildBroken(cutIn('sector-in-page')),
    );
    expect([...lost].filter((key) => held.has(key))).toEqual([]);
    expect(report?.loadable).toBe(false);
    expect(output.includes(INCOMPLETE_UNIT.name)).toBe(true);
    expect((await verify(bufferSource(output))).findings).toMatchObject([
      { code: 'incomplete' },
      { code: 'pages-missing' },
    ]);
    expect(await check(bufferSource(output), { release: [7, 2, 22] })).toMatchObject({
      loads: false,
      notJudged: [],
      forecast: { unit: 'savkit/incomplete/0' },
    });
  });

  it('fills lost pages with zeros on request, and then the state is loadable', async () => {
    const { faults, wrong, output, held, report, lost } = await judgeSalvage(
      original('own-long.sav'),
      buildBroken(cutIn('block-in-ram')),
      { fill: 'zero' },
    );
    expect([...faults, ...wrong]).toEqual([]);
    expect(report).toMatchObject({ complete: false, loadable: true });
    for (const key of lost) expect(held.get(key)?.content.every((byte) => byte === 0)).toBe(true);
    expect(output.includes(INCOMPLETE_UNIT.name)).toBe(false);
  });

  it('is never loadable while a unit is missing', async () => {
    for (const name of ['device-zeroed', 'unit-header-zeroed', 'cut-behind-memory']) {
      const { report } = await judgeSalvage(original('own-long.sav'), buildBroken(cutIn(name)), { fill: 'zero' });
      expect(report?.loadable).toBe(false);
    }
  });

  it('says that any page may be wrong where only a CRC shows it', async () => {
    const bytes = Buffer.from(original('own-long.sav').bytes);
    bytes[100_000] ^= 4;
    bytes[100_040] ^= 4;
    const { report, wrong } = await judgeSalvage(original('own-long.sav'), bytes);
    expect(wrong.length).toBe(1);
    expect(report).toMatchObject({ unproven: true, complete: false, loadable: false });
    expect((await judgeSalvage(original('own-long.sav'), bytes, { trust: true })).report).toMatchObject({
      unproven: true,
      loadable: true,
    });
  });

  it('flips a single bit back, wherever it is', async () => {
    const state = original('own-long.sav');
    for (let at = 70; at < state.bytes.length - 40; at += 24_317) {
      const bytes = Buffer.from(state.bytes);
      bytes[at] ^= 1 << (at % 8);
      const { report, held } = await judgeSalvage(state, bytes);
      expect(report?.repaired).toMatchObject([{ offset: at, bit: at % 8 }]);
      expect(report?.complete).toBe(true);
      expect(held.size).toBe(state.memory.size);
    }
  });

  it('keeps states of pgm 6 to 9 up to the damage, and lists exactly what is lost after it: all with a layout, RAM without', async () => {
    for (const [container, pgm] of [
      ['1.2', 6],
      ['1.2', 8],
      ['2.0', 9],
    ] as const) {
      const { original: state, layout } = await oldState(original('own-long.sav').bytes, container, pgm);
      for (const percent of [12, 40, 80]) {
        const cut = Math.floor((state.bytes.length * percent) / 100);
        const truth = lostByCut(state, cut).lost;
        const withLayout = await judgeSalvage(state, state.bytes.subarray(0, cut), { layout });
        expect([...withLayout.faults, ...withLayout.wrong]).toEqual([]);
        expect(withLayout.lost).toEqual(truth);
        expect(withLayout.report?.untold).toBe(false);
        const without = await judgeSalvage(state, state.bytes.subarray(0, cut));
        expect([...without.lost].filter((key) => key.startsWith('RAM')).sort()).toEqual(
          [...truth].filter((key) => key.startsWith('RAM')).sort(),
        );
      }
    }
  });

  it.each([
    ['own-long.sav', '1.2', 106_496, 4096],
    ['own-prot32.sav', '2.0', 147_968, 512],
  ] as const)(
    'believes no page type of pgm 9 that damage may have changed: %s as V%s',
    async (file, container, at, size) => {
      const { original: state, layout } = await oldState(original(file).bytes, container, 9);
      const { faults, wrong, lost } = await judgeSalvage(state, Buffer.from(state.bytes).fill(0, at, at + size), {
        layout,
      });
      expect([...faults, ...wrong]).toEqual([]);
      expect(lost.size).toBeGreaterThan(0);
    },
  );

  it.each([
    ['whose first bytes are gone with those of units', '2.0', 9, { removed: 512 }, 54],
    ['whose header tells no release that could be', '1.2', 9, { removed: 512 }, 69],
    ['whose unit lost bytes before the header of the next', '1.1', 6, { removed: 4 }, 338_117],
    ['whose unit seems to go beyond the end', '1.1', 6, { removed: 512 }, 338_973],
    ['whose header of a unit lost its name', '1.2', 9, { zeroed: 512 }, 296_960],
    ['whose damaged block holds nothing of any page', '1.1', 6, { flipped: 8 }, 335_218],
  ] as const)(
    'speaks of every unit, and writes a state without damage: of a file %s',
    async (...[, container, pgm, damage, at]) => {
      const { original: state, layout } = await oldState(original('own-long.sav').bytes, container, pgm);
      const by = 'removed' in damage ? damage.removed : 0;
      const bytes = Buffer.concat([state.bytes.subarray(0, at), state.bytes.subarray(at + by)]);
      if ('zeroed' in damage) bytes.fill(0, at, at + damage.zeroed);
      if ('flipped' in damage) bytes[at] ^= damage.flipped;
      const { faults, wrong, report } = await judgeSalvage(state, bytes, { layout }, { at, by });
      expect([...faults, ...wrong]).toEqual([]);
      expect(report?.findings.length).toBeGreaterThan(0);
    },
  );

  it.each([
    ['up to the end of the last range', '1.1', 332_665],
    ['up to the head of the next range', '1.2', 9755],
  ] as const)(
    'doubts all pages after a block of V1.x that claims a wrong size: these stand elsewhere, %s',
    async (_, container, at) => {
      const { original: state, layout } = await oldState(original('own-prot32.sav').bytes, container, 6);
      // The higher byte of the size of a block of 4 KiB.
      expect(state.bytes[at]).toBe(0x10);
      for (let bit = 0; bit < 8; bit++) {
        const bytes = Buffer.from(state.bytes);
        bytes[at] ^= 1 << bit;
        const { faults, wrong, lost, report } = await judgeSalvage(state, bytes, { layout });
        expect([...faults, ...wrong]).toEqual([]);
        expect([report?.complete, lost.size > 0]).toEqual([false, true]);
      }
    },
  );

  it('keeps the RAM of a live save whose pass 0 is lost, and says that more is missing', async () => {
    const state = original('own-long-live.sav');
    const pass0 = state.units.find(({ name }) => name === 'pgm');
    const bytes = Buffer.from(state.bytes).fill(0, pass0?.start, (pass0?.start ?? 0) + 60);
    const judged = await judgeSalvage(state, bytes);
    const later = naiveMemory(state.pages.filter(({ pass }) => pass > 0));
    expect([...judged.faults, ...judged.wrong]).toEqual([]);
    expect(judged.report).toMatchObject({ untold: true, loadable: false });
    const ram = (keys: Iterable<string>) => [...keys].filter((key) => key.startsWith('RAM')).sort();
    expect(ram(judged.lost)).toEqual(ram(state.memory.keys()).filter((key) => !later.has(key)));
    expect(ram(judged.held.keys())).toEqual(ram(later.keys()));
    expect(ram(later.keys()).length).toBeGreaterThan(500);
  });

  it('believes no directory whose head is damaged', async () => {
    const state = original('own-long.sav');
    const bytes = Buffer.from(state.bytes);
    const { start } = state.units.find(({ name }) => name === 'pcbios') as (typeof state.units)[number];
    bytes.fill(0, start, start + 40);
    // The number of entries follows magic and CRC.
    bytes[bytes.lastIndexOf('\nDir\n\0') + 12] ^= 0x40;
    const judged = await judgeSalvage(state, bytes);
    expect([...judged.faults, ...judged.wrong]).toEqual([]);
    expect(judged.report?.kept).toHaveLength(state.units.length - 1);
  });

  it('says that pages may be wrong where bytes are missing, and the rest happens to be whole blocks', async () => {
    const { original: old, layout } = await oldState(original('own-prot32.sav').bytes, '1.2', 6);
    const [at, by] = [2743, 16_384];
    const bytes = Buffer.concat([old.bytes.subarray(0, at), old.bytes.subarray(at + by)]);
    const { report, faults, wrong } = await judgeSalvage(old, bytes, { layout }, { at, by });
    expect(wrong.length).toBeGreaterThan(0);
    expect([faults, report?.unproven, report?.complete]).toEqual([[], true, false]);
  });

  it('says that any page of pgm 6 to 9 may be wrong where bytes of it are missing: they hold no addresses', async () => {
    const { original: state, layout } = await oldState(original('own-long-live.sav').bytes, '2.0', 9);
    const judged = await judgeSalvage(
      state,
      Buffer.concat([state.bytes.subarray(0, 210_234), state.bytes.subarray(218_426)]),
      { layout },
    );
    expect(judged.faults).toEqual([]);
    expect(judged.report).toMatchObject({ unproven: true, untold: true, loadable: false, dropped: [] });
  });

  it('says that a unit is lost where bytes were put into its header', async () => {
    const state = original('own-long-live.sav');
    const { start } = state.units.find(({ name }) => name === 'em') as (typeof state.units)[number];
    const bytes = Buffer.concat([
      state.bytes.subarray(0, start + 44),
      Buffer.alloc(43, 0x6b),
      state.bytes.subarray(start + 44),
    ]);
    expect((await judgeSalvage(state, bytes, {}, { at: start + 44, by: -43 })).faults).toEqual([]);
  });

  it('keeps all units where bytes are missing or were put in, and of memory what is certain', async () => {
    const state = original('own-long.sav');
    for (const [at, by] of [
      [120_000, 7],
      [3000, 40],
      [180_000, -13],
      [200_000, 512],
    ]) {
      const bytes = Buffer.concat([
        state.bytes.subarray(0, at),
        Buffer.alloc(Math.max(0, -by), 0xa5),
        state.bytes.subarray(at + Math.max(0, by)),
      ]);
      const judged = await judgeSalvage(state, bytes, {}, { at, by });
      expect([...judged.faults, ...judged.wrong]).toEqual([]);
      expect(state.units.length - (judged.report?.kept.length ?? 0)).toBeLessThan(2);
      expect(judged.lost.size).toBeLessThan(20);
    }
  });

  it('says that a unit is lost, or may be, wherever bytes around a border of units are missing', async () => {
    const state = original('own-prot32.sav');
    const old = await oldState(state.bytes, '1.2', 7);
    const borders = (own: Original) => own.units.filter(({ name }) => name === 'pcbios');
    for (const [own, options] of [
      [state, {}],
      [old.original, { layout: old.layout }],
    ] as const)
      for (const { start } of borders(own))
        for (const [at, by] of [
          [start - 3, 48],
          [start + 13, 48],
          [start + 40, 42],
          [start - 1, 130],
        ]) {
          const bytes = Buffer.concat([own.bytes.subarray(0, at), own.bytes.subarray(at + by)]);
          const { faults, report } = await judgeSalvage(own, bytes, options, { at, by });
          expect([at, by, faults, report?.complete]).toEqual([at, by, [], false]);
        }
  });

  it('calls pages old whose final copies may stand in a unit that is lost', async () => {
    const state = original('own-long-live.sav');
    const bytes = Buffer.concat([state.bytes.subarray(0, 221_276), state.bytes.subarray(221_788)]);
    const judged = await judgeSalvage(state, bytes, {}, { at: 221_276, by: 512 });
    expect([...judged.faults, ...judged.wrong]).toEqual([]);
    expect(judged.stale.size).toBeGreaterThan(0);
  });

  it('judges its output as verify does, also where something is wrong though every CRC is right', async () => {
    const plain = original('own-long.sav').bytes;
    const report = async (bytes: Uint8Array, options: SalvageOptions = {}) => {
      const sink = new MemorySink();
      const said = await salvage(bufferSource(bytes), sink, options);
      const { verdict, vboxCode, findings } = await verify(bufferSource(sink.view()));
      expect(said.written).toEqual({ verdict, vboxCode: vboxCode ?? null, findings });
      return said;
    };
    const changed = (name: string, change: (unit: UnitSpec) => UnitSpec[]) =>
      joinUnits(
        splitUnits(plain).flatMap((unit) => (unit.name === name ? change(unit) : [unit])),
        plain,
      );
    const shortMm = changed('mm', (unit) => [{ ...unit, records: rawRecord(new Uint8Array(5)) }]);
    const newerPgm = changed('pgm', (unit) => [{ ...unit, version: 99 }]);
    const noCpum = changed('cpum', () => []);
    expect(await report(shortMm)).toMatchObject({ complete: false, loadable: false, written: { verdict: 'damaged' } });
    expect(await report(shortMm, { fill: 'zero', trust: true })).toMatchObject({ complete: false, loadable: false });
    expect(await report(newerPgm)).toMatchObject({ complete: false, loadable: false });
    expect(await report(noCpum)).toMatchObject({ loadable: false, written: { verdict: 'whole' } });
    const once = new MemorySink();
    await salvage(bufferSource(plain.subarray(0, 150_000)), once);
    expect(await report(once.view())).toMatchObject({ complete: false, loadable: false });
  });

  it('lists pages that a file claims in no time, whatever their number', async () => {
    const { bytes: plain, units } = original('own-long.sav');
    const mm = units.find(({ name }) => name === 'mm');
    const payload = Buffer.from(mm?.payload ?? []);
    // The number that follows the number of base pages.
    payload.writeBigUInt64LE(2n ** 47n, 8);
    const bytes = joinUnits(
      [{ name: 'mm', instance: 1, version: mm?.version ?? 0, records: rawRecord(payload) }],
      plain,
    );
    const { complete, lostPages } = await salvage(bufferSource(bytes), new MemorySink(), { trust: true });
    expect([complete, lostPages]).toEqual([false, 2 ** 35 - 96]);
  });

  it('refuses what is no state, holds nothing, or cannot be read twice', async () => {
    const broken = cutIn('start-zeroed');
    await expect(salvage(bufferSource(buildBroken(broken)), new MemorySink())).rejects.toBeInstanceOf(FormatError);
    await expect(salvage(bufferSource(originalBytes(broken).subarray(0, 64)), new MemorySink())).rejects.toMatchObject({
      code: 'nothing-left',
    });
    const pipe = { ...bufferSource(originalBytes(broken)), seekable: false };
    await expect(salvage(pipe, new MemorySink())).rejects.toBeInstanceOf(UsageError);
  });
});
