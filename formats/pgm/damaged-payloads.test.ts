import { describe, expect, it } from 'vitest';
import { SavkitError } from '../errors.ts';
import { buildLivePgm, buildPgm } from '../testing/pgm-builder.ts';
import { PA, PB } from '../testing/pgm-examples.ts';
import { emptyMachine, type Machine } from '../testing/pgm-machine.ts';
import { readPgm } from '../testing/pgm-reading.ts';
import { liveUnits, stateV2 } from '../testing/pgm-states.ts';
import { PGM_VERSIONS } from './versions.ts';

// The container is whole and its CRCs are right; its payload is damaged.

const versions = PGM_VERSIONS.map(({ version }) => version);

/** Few contents, so that heads and records make up most of the payload. */
function smallMachine(version: number): Machine {
  const ranges = {
    mmio2: [
      {
        id: 1,
        device: 'vga',
        instance: 0,
        region: 0,
        description: 'VRam',
        address: 0xe0000000,
        pages: ['zero' as const],
      },
    ],
    mappings: [{ description: 'VMM', address: 0xa0000000n, pageTables: 1n }],
    cpus: version >= 9 ? [0, 1].map(() => ({ a20: true, mode: 1 })) : [{ a20: true, mode: 1 }],
  };
  if (version === 6) return emptyMachine(ranges);
  const ram = new Map<number, Uint8Array | 'zero' | 'balloon'>([
    [0, PA],
    [0x1000, 'zero'],
    [0x2000, 'balloon'],
  ]);
  const roms = [
    {
      id: 1,
      description: 'BIOS',
      address: 0xffff0000,
      pages: [{ virgin: PB, shadow: 'zero' as const, protection: 3 }],
    },
  ];
  return emptyMachine({ ...ranges, ramSize: 0x4000, ram, roms });
}

/** Every length, but only some within the contents of pages. */
function* lengthsOf(payload: Uint8Array): Generator<number> {
  for (let length = 0; length < payload.length; length++) {
    const inContent =
      length % 509 !== 0 && payload[length - 4] === payload[length] && payload[length - 60] === payload[length];
    if (!inContent) yield length;
  }
}

describe('a payload cut short', () => {
  it.each(versions)('at any length in version %i ends too early', async (version) => {
    const payload = buildPgm(smallMachine(version), version);
    for (const length of lengthsOf(payload)) {
      const error = await readPgm(stateV2([{ version, payload: payload.subarray(0, length) }])).catch(
        (thrown) => thrown,
      );
      expect(error, `${length} bytes`).toBeInstanceOf(SavkitError);
      expect(error.vboxCode, `${length} bytes`).toBe('VERR_SSM_LOADED_TOO_MUCH');
      expect(error.place, `${length} bytes`).toMatchObject({ unit: 'pgm', version });
    }
  });

  it.each([0, 1, 2])('in pass %i of a live save ends too early', async (cutPass) => {
    const machine = smallMachine(14);
    const payloads = buildLivePgm(machine, 14, [
      [],
      [{ kind: 'ram', address: 0, content: PA }],
      [{ kind: 'ram', address: 0x1000, content: 'zero' }],
    ]);
    const whole = payloads[cutPass];
    for (const length of lengthsOf(whole)) {
      const cut = payloads.map((payload, pass) => (pass === cutPass ? whole.subarray(0, length) : payload));
      const reading = readPgm(stateV2(liveUnits(14, cut), { live: true }));
      await expect(reading, `${length} bytes`).rejects.toMatchObject({ vboxCode: 'VERR_SSM_LOADED_TOO_MUCH' });
    }
  });
});

/** Version 8 has the bytes of 7, and 13 those of 12 but for the type of a balloon record. */
const different = versions.filter((version) => version !== 8 && version !== 13);

describe('a payload with one bit flipped', () => {
  it.each(different)('in version %i gives a value or a SavkitError', async (version) => {
    const payload = buildPgm(smallMachine(version), version);
    for (const at of lengthsOf(payload)) {
      // Other versions flip the other bits of the same fields.
      for (const bit of [0, 3, 6].map((each) => (each + at + version) % 8)) {
        const flipped = payload.slice();
        flipped[at] ^= 1 << bit;
        const result = await readPgm(stateV2([{ version, payload: flipped }])).catch((error) => error);
        if (result instanceof Error && !(result instanceof SavkitError))
          expect.fail(`bit ${bit} of byte ${at}: ${result.stack}`);
      }
    }
  });
});
