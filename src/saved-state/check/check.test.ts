import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../../formats/errors.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { PGM_VERSIONS } from '../../../formats/pgm/versions.ts';
import type { UnitSpec } from '../../../formats/testing/container-builder.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { brokenStates, buildBroken } from '../../testing/broken-states.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { convert } from '../convert/convert.ts';
import { inspect } from '../describe/inspect.ts';
import { type MachineFacts, machineOf } from '../machine-facts/machine-facts.ts';
import { readSettings } from '../machine-facts/settings.ts';
import { check } from './check.ts';
import { parseRelease, type ReleaseNumbers, releaseName, UNIT_VERSIONS, versionsReadBy } from './unit-versions.ts';

const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const live = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));

/**
 * The machine of the bundled states, as VirtualBox 7.2.22 writes its settings; `hardware`, `firmware` and `platform`
 * are added.
 */
function settings({ ram = 4, hardware = '', firmware = '', platform = '' } = {}): string {
  return `<?xml version="1.0"?>
<!-- ** Written by VirtualBox 7.2.22_Debian (r175245) -->
<VirtualBox xmlns="http://www.virtualbox.org/" version="1.20-linux">
  <Machine uuid="{46609081-cc1b-4812-850d-c5ef09e96fdf}" name="own3" OSType="Other_64">
    <Hardware>
      <Memory RAMSize="${ram}"/>
      <Paravirt provider="None"/>
      <Display controller="None"/>
      ${hardware}
      <Firmware><ACPI enabled="false"/>${firmware}</Firmware>
    </Hardware>
    <Platform architecture="x86">${platform || '<CPU/>'}</Platform>
  </Machine>
</VirtualBox>`;
}

const machine = (more?: Parameters<typeof settings>[0]): MachineFacts => readSettings(settings(more), 'own3.vbox');
const checkIn = (bytes: Uint8Array, target?: MachineFacts, release?: ReleaseNumbers) =>
  check(bufferSource(bytes), { machine: target, release });

async function forecast(bytes: Uint8Array, target?: MachineFacts, release?: ReleaseNumbers): Promise<string> {
  const { forecast: found } = await checkIn(bytes, target, release);
  return found ? `${found.vboxCode} ${found.unit ?? ''}`.trim() : 'loads';
}

/** The plain state with its units changed. */
function changed(change: (units: UnitSpec[]) => UnitSpec[]): Buffer {
  return joinUnits(change(splitUnits(plain)), plain);
}

const unit = (units: UnitSpec[], name: string) => units.find((own) => own.name === name) as UnitSpec;

describe('check()', () => {
  it('takes units whose names mean something to JavaScript as unknown ones', async () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const more = changed((units) => [...units, { name, version: 1, payload: new Uint8Array(4) }]);
      expect(await forecast(more, machine(), [7, 2, 22])).toBe(`VERR_SSM_INTEGRITY_UNIT_NOT_FOUND ${name}/0`);
    }
  });
});

describe('check() against settings', () => {
  it('finds nothing where the state was saved', async () => {
    expect(await forecast(plain, machine())).toBe('loads');
    expect(await forecast(live, machine())).toBe('loads');
    expect((await checkIn(plain, machine())).notJudged).toEqual([]);
  });

  // What 7.2.22 answered to each.
  it.each<[string, Parameters<typeof settings>[0] & object, string]>([
    ['RAM size', { ram: 8 }, 'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH mm/1'],
    ['CPUs', { platform: '<CPU count="2"/>' }, 'VERR_SSM_UNEXPECTED_DATA cpum/1'],
    ['chipset', { platform: '<Chipset type="ICH9"/><CPU/>' }, 'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND pci/0'],
    ['I/O APIC', { firmware: '<IOAPIC enabled="true"/>' }, 'VERR_SSM_LOAD_CONFIG_MISMATCH apic/0'],
    ['paravirtualisation', { hardware: '<Paravirt provider="KVM"/>' }, 'VERR_SSM_LOAD_CONFIG_MISMATCH GIM/0'],
    [
      'a serial port more',
      { hardware: '<UART><Port slot="0" enabled="true"/></UART>' },
      'VERR_SSM_LOAD_CONFIG_MISMATCH pdm/1',
    ],
    ['HPET', { platform: '<CPU/><x86><HPET enabled="true"/></x86>' }, 'VERR_SSM_LOAD_CONFIG_MISMATCH pdm/1'],
    [
      'USB',
      { hardware: '<USB><Controllers><Controller name="OHCI" type="OHCI"/></Controllers></USB>' },
      'VERR_SSM_LOAD_CONFIG_MISMATCH pdm/1',
    ],
    ['firmware', { firmware: '' }, 'loads'],
  ])('foretells the answer to another %s', async (_what, more, expected) => {
    const text = more.hardware?.includes('Paravirt')
      ? settings(more).replace('<Paravirt provider="None"/>', '')
      : settings(more);
    expect(await forecast(plain, readSettings(text, 'x.vbox'))).toBe(expected);
  });

  it('foretells that EFI has other ROMs than the BIOS', async () => {
    const efi = readSettings(settings().replace('<Firmware>', '<Firmware type="EFI64">'), 'efi.vbox');
    expect(await forecast(plain, efi)).toBe('VERR_SSM_LOAD_CONFIG_MISMATCH pgm/1');
  });

  it('foretells that a live save stops at its first pass of pgm', async () => {
    expect(await forecast(live, machine({ ram: 8 }))).toBe('VERR_SSM_LOAD_CONFIG_MISMATCH pgm/1');
    expect(await forecast(live, machine({ platform: '<CPU count="2"/>' }))).toBe('VERR_SSM_UNEXPECTED_DATA cpum/1');
  });

  it('lists every difference, though the loader stops at the first', async () => {
    const { findings } = await checkIn(
      plain,
      machine({ ram: 8, platform: '<CPU count="2"/>', firmware: '<IOAPIC enabled="true"/>' }),
    );
    expect(findings.map(({ code }) => code)).toEqual([
      'ram-size',
      'cpu-count',
      'ram-size',
      'device-config',
      'device-added',
    ]);
  });

  it('says what settings leave open', async () => {
    const open = readSettings(settings().replace('provider="None"', 'provider="New"'), 'x.vbox');
    expect((await checkIn(plain, open)).notJudged).toEqual(['paravirtualisation: x.vbox does not tell']);
    expect((await checkIn(plain, machine())).assumed.join()).toContain('CPU');
  });

  it('says of which devices it does not know how they are configured', async () => {
    const units = (version: number) => (all: UnitSpec[]) => [
      ...all.slice(0, -4),
      { name: 'serial', version, payload: SERIAL },
      ...all.slice(-4),
    ];
    const hardware = '<UART><Port slot="0" enabled="true" IOBase="0x3f8" IRQ="4"/></UART>';
    const judge = async (version: number) =>
      (await checkIn(changed(units(version)), machine({ hardware }))).notJudged.join();
    expect(await judge(5)).toContain('serial/0');
    expect(await judge(7)).toBe('');
  });
});

describe('check() of devices whose address is compared', () => {
  const beforeEnd = (spec: UnitSpec) => (all: UnitSpec[]) => [...all.slice(0, -4), spec, ...all.slice(-4)];
  const parallel = { name: 'parallel', version: 1, payload: PARALLEL };
  const at = (attributes: string) =>
    machine({ hardware: `<LPT><Port slot="0" enabled="true" ${attributes} path="/dev/parport0"/></LPT>` });

  it.each([
    ['IOBase="0x378" IRQ="7"', ''],
    ['', ''],
    ['IOBase="0x278" IRQ="7"', 'I/O port is 0x378 in the state, 0x278'],
    ['IOBase="0x378" IRQ="5"', 'interrupt is 7 in the state, 5'],
  ])('foretells what comes of a parallel port with %s', async (attributes, difference) => {
    const { findings, notJudged } = await checkIn(changed(beforeEnd(parallel)), at(attributes));
    expect(notJudged).toEqual([]);
    const found = findings.find(({ place }) => place.unit === 'parallel');
    if (difference === '') expect(found).toBeUndefined();
    else expect(found?.message).toContain(difference);
  });
});

/** Three registers, interrupt 7, port 0x378. */
const PARALLEL = Uint8Array.of(0, 0xdf, 0xc, 7, 0, 0, 0, 0x78, 3, 0, 0, 0xff, 0xff, 0xff, 0xff);

/** Interrupt 4, port 0x3f8, 16550A. */
const SERIAL = Uint8Array.of(4, 0xf8, 3, 2, 0, 0, 0, 12, 0, ...new Array(16).fill(0), 4, 4, 0xff, 0xff, 0xff, 0xff);

describe('check() of CPUs', () => {
  const withContext = (offset: number, value: bigint) => (all: UnitSpec[]) => {
    const records = unit(all, 'cpum').records as Buffer;
    // The guest context is the second structure of its size.
    const first = records.indexOf(BEGIN);
    const context = records.indexOf(BEGIN, first + 500);
    records.writeBigUInt64LE(value, context + offset);
    return all;
  };
  const BEGIN = Buffer.from('02012019', 'hex');

  // What 7.2.22 answered to each.
  it.each<[string, number, bigint, string]>([
    ['XCR0 0', 504, 0n, 'VERR_CPUM_INVALID_XCR0 cpum/1'],
    ['XCR0 outside of the state that there is', 504, 0xffn, 'VERR_CPUM_INVALID_XCR0 cpum/1'],
    ['XCR1', 512, 1n, 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED cpum/1'],
    ['XCR0 1', 504, 1n, 'loads'],
  ])('foretells the answer to %s', async (_what, offset, value, expected) => {
    expect(await forecast(changed(withContext(offset, value)), machine())).toBe(expected);
  });

  it('foretells that nested virtualisation is compared', async () => {
    const nested = machine({ platform: '<CPU/><x86><CPU><NestedHWVirt enabled="true"/></CPU></x86>' });
    expect(await forecast(plain, nested)).toBe('VERR_SSM_LOAD_CONFIG_MISMATCH cpum/1');
  });
});

describe('check() of states that no machine takes', () => {
  // What 7.2.22 answered to each.
  it.each<[string, (units: UnitSpec[]) => UnitSpec[], string]>([
    ['no cpum', (units) => units.filter(({ name }) => name !== 'cpum'), 'VERR_WRONG_ORDER pgm/1'],
    [
      'cpum after pgm',
      (units) => [...units.filter(({ name }) => name !== 'cpum'), unit(units, 'cpum')],
      'VERR_WRONG_ORDER pgm/1',
    ],
    [
      'no ConsoleData',
      (units) => units.filter(({ name }) => name !== 'ConsoleData'),
      'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION',
    ],
    ['no mm', (units) => units.filter(({ name }) => name !== 'mm'), 'loads'],
    ['no pdm', (units) => units.filter(({ name }) => name !== 'pdm'), 'loads'],
    [
      'a unit without device',
      (units) => [...units.slice(0, 5), { name: 'lsilogicscsi', version: 5 }, ...units.slice(5)],
      'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND lsilogicscsi/0',
    ],
    [
      'units of parts that are gone',
      (units) => [...['rem', 'selm', 'CSAM', 'PATM'].map((name) => ({ name, version: 55 })), ...units],
      'loads',
    ],
    [
      "a host's service that is gone",
      (units) => patch(units, hexOf('VBoxSharedFolders'), hexOf('VBoxSharedCrOpenG'), 'HGCM'),
      'VERR_SSM_UNEXPECTED_DATA HGCM/0',
    ],
    [
      'tm of an older version',
      (units) => units.map((own) => (own.name === 'tm' ? { ...own, version: 2 } : own)),
      'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION tm/1',
    ],
    [
      'another RAM hole',
      (units) => patch(units, '0000002000004000', '0000002400004000'),
      'VERR_SSM_LOAD_CONFIG_MISMATCH pgm/1',
    ],
    [
      'a ROM of another name',
      (units) => patch(units, hexOf('Net Boot ROM'), hexOf('Nix Boot ROM')),
      'VERR_SSM_LOAD_CONFIG_MISMATCH pgm/1',
    ],
    ['mm of version 99', (units) => units.map((own) => (own.name === 'mm' ? { ...own, version: 99 } : own)), 'loads'],
  ])('foretells the answer to %s', async (_what, change, expected) => {
    expect(await forecast(changed(change), machine())).toBe(expected);
  });

  it('foretells that a unit of a later version is refused, for every unit but mm', async () => {
    for (const { name, instance } of splitUnits(plain)) {
      if (name === 'mm') continue;
      const step = /Console|Display/.test(name) ? 0x10000 : 1;
      const bytes = changed((units) =>
        units.map((own) => (own.name === name ? { ...own, version: (own.version ?? 0) + step } : own)),
      );
      expect(await forecast(bytes, machine())).toBe(`VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION ${name}/${instance}`);
    }
  });

  it('foretells the answers to damaged files', async () => {
    for (const state of brokenStates().filter(({ name }) => !NOT_FORETOLD.includes(name))) {
      const { forecast: found, damaged } = await checkIn(buildBroken(state), machine());
      expect([state.name, found?.vboxCode, damaged]).toEqual([state.name, state.virtualbox, true]);
    }
  });
});

/** A device meets rubbish in its own way before the container's CRC is looked at. */
const NOT_FORETOLD = ['device-zeroed'];
const hexOf = (text: string) => Buffer.from(text, 'latin1').toString('hex');

function patch(units: UnitSpec[], from: string, to: string, name = 'pgm'): UnitSpec[] {
  const records = unit(units, name).records as Buffer;
  const at = records.indexOf(Buffer.from(from, 'hex'));
  expect(at).toBeGreaterThan(0);
  records.set(Buffer.from(to, 'hex'), at);
  return units;
}

describe('check() against a release', () => {
  const release = (text: string) => parseRelease(text) as ReleaseNumbers;

  it.each([
    ['7.2', 'loads'],
    ['7.2.22', 'loads'],
    ['7.0', 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION cpum/1'],
    ['7.1', 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION cpum/1'],
    ['4.1.2', 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION HWACCM/0'],
    ['3.0', 'VERR_SSM_INTEGRITY_VERSION'],
  ])('tells what %s reads', async (text, expected) => {
    expect(await forecast(plain, undefined, release(text))).toBe(expected);
  });

  it('tells that live passes of pgm 10 are not read, but its plain states are', async () => {
    const version10 = async (bytes: Uint8Array) => {
      const old = new MemorySink();
      await convert(bufferSource(bytes), old, { pgm: 10, allowLoss: true, proof: false });
      return forecast(old.view(), undefined, release('7.2'));
    };
    expect(await version10(live)).toBe('VERR_SSM_LOAD_CONFIG_MISMATCH pgm/1');
    expect(await version10(plain)).toBe('loads');
  });

  it('names units of which nothing is known instead of guessing', async () => {
    const { notJudged } = await checkIn(plain, undefined, release('7.1'));
    expect(notJudged.join()).toContain('DisplayData');
    expect((await checkIn(plain, undefined, release('7.2'))).notJudged).toEqual([]);
    for (const newer of ['7.3', '7.99', '8.0'])
      expect((await checkIn(plain, undefined, release(newer))).notJudged.join()).toContain('newer than all releases');
  });

  it('foretells nothing of versions between those of two releases that were seen', () => {
    expect(versionsReadBy('em', release('3.1.8'))).toMatchObject({ surely: 3, newest: 3 });
    expect(versionsReadBy('ioapic', release('6.1.20'))).toMatchObject({ surely: 2, newest: 3 });
    expect(versionsReadBy('acpi', release('4.0'))).toMatchObject({ surely: 5, newest: 7 });
    expect(versionsReadBy('em', release('8.0'))).toMatchObject({ surely: 5, newest: Number.POSITIVE_INFINITY });
    expect(versionsReadBy('nobody', release('7.2'))).toBeUndefined();
  });

  it('has a row for every version of pgm that a release wrote', () => {
    const versions = new Set(UNIT_VERSIONS.filter((row) => row.unit === 'pgm').map(({ version }) => version));
    // Version 10 was written by development builds only.
    expect([...versions, 10].sort((a, b) => a - b)).toEqual(PGM_VERSIONS.map(({ version }) => version));
  });

  it('understands releases as people write them', () => {
    expect(parseRelease('7.2')?.slice(0, 2)).toEqual([7, 2]);
    expect(releaseName(release('6.1.50'))).toBe('6.1.50');
    expect(releaseName(release('6.1'))).toBe('6.1');
    for (const text of ['7', 'seven', '7.2.x', '']) expect(parseRelease(text)).toBeUndefined();
  });
});

describe('check() against another state', () => {
  it('takes the machine that the other was saved from', async () => {
    const { state } = await inspect(bufferSource(live));
    const other = machineOf(state, 'live.sav');
    expect(other).toMatchObject({
      ramSize: 4 << 20,
      ramHole: 0x20000000,
      cpuCount: 1,
      chipset: 'piix3',
      paravirtualisation: 'none',
    });
    expect(other.configs?.get('apic/0')).toEqual({ 'I/O APIC': 'off', mode: 'APIC' });
    expect(other.devices?.map(({ name }) => name)).toContain('VMMDev');
    expect(await forecast(plain, other)).toBe('loads');
    const small = other.mmio2?.map((range) => ({ ...range, size: 4096 })) ?? [];
    expect(await forecast(plain, { ...other, mmio2: small })).toBe('VERR_SSM_LOAD_CONFIG_MISMATCH pgm/1');
  });
});

describe('readSettings()', () => {
  it('reads what VirtualBox before 7.1 wrote: CPUs and chipset in <Hardware>, IOAPIC in <BIOS>', () => {
    const old = `<VirtualBox version="1.16-linux"><Machine name="old"><Hardware><CPU count="4"><PAE enabled="true"/></CPU><Memory RAMSize="2048"/>
      <Chipset type="ICH9"/><HPET enabled="true"/><BIOS><IOAPIC enabled="true"/></BIOS><Display VRAMSize="16"/>
      <Network><Adapter slot="1" enabled="true" type="82540EM"/></Network></Hardware>
      <StorageControllers><StorageController name="SATA" type="AHCI"/></StorageControllers></Machine></VirtualBox>`;
    const read = readSettings(old, 'old.vbox');
    expect(read).toMatchObject({
      cpuCount: 4,
      ramSize: 2 ** 31,
      chipset: 'ich9',
      ramHole: 0x24000000,
      vramSize: 16 << 20,
    });
    expect(read.configs?.get('apic/0')).toEqual({ 'I/O APIC': 'on', mode: 'APIC' });
    expect(read.devices).toEqual(
      expect.arrayContaining([
        { name: 'e1000', instance: 1 },
        { name: 'ahci', instance: 0 },
        { name: 'hpet', instance: 0 },
      ]),
    );
  });

  it('reads what VirtualBox up to 4.2 wrote: one USB controller, EHCI as an attribute', () => {
    const usb = (attributes: string) => {
      const { devices } = readSettings(
        `<VirtualBox version="1.12-linux"><Machine><Hardware><USBController ${attributes}/></Hardware></Machine></VirtualBox>`,
        'x',
      );
      return devices?.map(({ name }) => name).filter((name) => name.startsWith('usb'));
    };
    expect(usb('enabled="true" enabledEhci="true"')).toEqual(['usb-ohci', 'usb-ehci']);
    expect(usb('enabled="true" enabledEhci="false"')).toEqual(['usb-ohci']);
    expect(usb('enabled="false" enabledEhci="true"')).toEqual([]);
  });

  it('knows which paravirtualisation "Default" is, by the type of guest and the age of the settings', () => {
    const of = (type: string, version: string, paravirt: string) =>
      readSettings(
        `<VirtualBox version="${version}"><Machine OSType="${type}"><Hardware>${paravirt}</Hardware></Machine></VirtualBox>`,
        'x',
      ).paravirtualisation;
    expect(of('Windows10_64', '1.19-windows', '<Paravirt provider="Default"/>')).toBe('hyperv');
    expect(of('WindowsXP', '1.19-windows', '')).toBe('none');
    expect(of('Ubuntu_64', '1.16-linux', '')).toBe('kvm');
    expect(of('Linux24', '1.16-linux', '')).toBe('none');
    expect(of('MacOS_64', '1.16-macosx', '')).toBe('minimal');
    expect(of('Ubuntu_64', '1.14-linux', '')).toBe('none');
    expect(of('Ubuntu_64', '1.16-linux', '<Paravirt provider="Minimal"/>')).toBe('minimal');
  });

  it('takes words that mean something to JavaScript for what they are, and chains of snapshots', () => {
    for (const word of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      const file = (hardware: string, controllers = '') =>
        `<VirtualBox><Machine><Hardware>${hardware}</Hardware>${controllers}</Machine></VirtualBox>`;
      const adapter = `<Network><Adapter enabled="true" slot="0" type="${word}"/></Network>`;
      const controllers = `<StorageControllers><StorageController type="${word}"/></StorageControllers>`;
      const { devices } = readSettings(file(`<Paravirt provider="${word}"/>${adapter}`, controllers), 'x');
      expect(devices?.filter(({ name }) => name === word).length).toBe(2);
      for (const hardware of [
        `<Chipset type="${word}"/>`,
        `<AudioAdapter enabled="true" controller="${word}"/>`,
        `<USB><Controllers><Controller type="${word}"/></Controllers></USB>`,
      ])
        expect(() => readSettings(file(hardware), 'x')).toThrow(/is unknown/);
    }
    const snapshots = `${'<Snapshot><Snapshots>'.repeat(250)}${'</Snapshots></Snapshot>'.repeat(250)}`;
    expect(readSettings(settings().replace('<Hardware', `${snapshots}<Hardware`), 'x.vbox').ramSize).toBe(
      machine().ramSize,
    );
  });

  it('refuses what is no settings file', () => {
    const hardware = (inside: string) =>
      `<VirtualBox><Machine name="a"><Hardware>${inside}</Hardware></Machine></VirtualBox>`;
    const hostile = [
      '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><VirtualBox><Machine name="a"/></VirtualBox>',
      hardware(`${'<a>'.repeat(3000)}${'</a>'.repeat(3000)}`),
      hardware(`<Network>${'<Adapter enabled="true"/>'.repeat(100_000)}</Network>`),
      hardware('<constructor/>'),
      hardware('<a __proto__="1"/>'),
      '<__proto__><Machine/></__proto__>',
    ];
    for (const text of hostile) expect(() => readSettings(text, 'x.vbox')).toThrow(FormatError);
    for (const text of [
      '',
      'no XML',
      '<VirtualBox>',
      '<a/>',
      '<VirtualBox><Global/></VirtualBox>',
      '<!DOCTYPE x [<!ENTITY a "b">]><VirtualBox/>',
    ]) {
      expect(() => readSettings(text, 'x.vbox')).toThrow(FormatError);
    }
    expect(() => readSettings(settings().replace('"x86"', '"ARM"'), 'x.vbox')).toThrow(/architecture/);
    expect(() => readSettings('<a>\n'.repeat(3000), 'x.vbox')).toThrow(/^[^\n]{20,200}$/);
  });
});
