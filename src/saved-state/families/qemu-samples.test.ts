import { describe, expect, it } from 'vitest';
import { type ByteSource, bufferSource } from '../../../formats/files/source.ts';
import { fieldsOf } from '../../../formats/qemu/device-fields.ts';
import { splitDevices } from '../../../formats/qemu/device-sections.ts';
import { compareWithQemuTruth } from '../../testing/against-qemu-truth.ts';
import { qemuSample, qemuTruth, sampleSource } from '../../testing/qemu-samples.ts';
import { MemoryTarget } from '../../testing/states.ts';
import { extract } from '../extract/extract.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import { inspectState } from './inspect-state.ts';
import { readState } from './read-state.ts';
import { verifyState } from './verify-state.ts';

const SAMPLES = [
  'long-10.state',
  'ignore-shared-10.state',
  'mapped-10.state',
  'live-7.state',
  'smp-7.state',
  'la57-10.state',
  'snap-10.qcow2',
  'virsh-gzip-10.save',
  'no-vmdesc-7.state',
  'long-7.state',
  'virsh-raw-10.save',
];

describe('a state of QEMU', () => {
  it.each(SAMPLES)('%s: memory, registers, sections and translations are what others have found', async (name) => {
    expect(await compareWithQemuTruth(sampleSource(name), qemuTruth(name))).toEqual([]);
  });

  it('is read from a pipe, too, unless its pages have places', async () => {
    const piped = (name: string) => ({ ...bufferSource(qemuSample(name)), seekable: false, size: undefined });
    expect((await readState(piped('long-10.state'))).cpus.registers[0].context?.rip).toBe(0xf0308n);
    await expect(readState(piped('mapped-10.state'))).rejects.toMatchObject({ code: 'not-seekable' });
    await expect(readState({ ...piped('snap-10.qcow2'), part: 'snap2' })).rejects.toMatchObject({
      code: 'not-seekable',
    });
  });

  it('is a snapshot that the name chooses; a name is needed where there are several', async () => {
    const image = { ...bufferSource(qemuSample('snap-10.qcow2')) };
    await expect(readState(image)).rejects.toMatchObject({ code: 'which-snapshot' });
    expect((await readState({ ...image, part: 'snap1' })).size).toBe(1859365);
    await expect(readState({ ...image, part: 'snap3' })).rejects.toThrow('It has "snap1", "snap2"');
  });

  it('is a snapshot by its name; by its number where none is called so', async () => {
    const bytes = qemuSample('snap-10.qcow2');
    const chosen = async (part: string) => {
      const { container } = await readQemuState({ ...bufferSource(bytes), part });
      return container.kind === 'qcow2' ? container.snapshot.id : undefined;
    };
    expect([await chosen('snap1'), await chosen('2')]).toEqual(['1', '2']);
    // The first one, with the number 1 and the name "snap1", gets the number "snap1" and the name "2".
    const table = Number(bytes.readBigUInt64BE(64));
    bytes.writeUInt16BE(5, table + 12);
    bytes.writeUInt16BE(1, table + 14);
    put(bytes, at(bytes, '1snap1', table), 'snap12');
    expect([await chosen('2'), await chosen('snap1'), await chosen('snap2')]).toEqual(['snap1', 'snap1', '2']);
    put(bytes, at(bytes, '2snap2', table), 'snap22');
    bytes.writeUInt16BE(5, table + 72 + 12);
    bytes.writeUInt16BE(1, table + 72 + 14);
    await expect(chosen('2')).rejects.toThrow('2 snapshots are called "2", with the numbers snap1, snap2. It has');
  });

  it('that leaves RAM out is not taken for zeros', async () => {
    const source = bufferSource(qemuSample('ignore-shared-10.state'));
    expect((await readState(source)).memory?.elsewhere).toContain('--ram');
    expect(await verifyState(source)).toMatchObject({
      verdict: 'no-damage-found',
      findings: [{ severity: 'warning', code: 'pages-elsewhere' }],
    });
    const wrong = { ...source, ram: [{ source: bufferSource(Buffer.alloc(4096)) }] };
    await expect(readState(wrong)).rejects.toMatchObject({ code: 'bad-ram' });
  });

  it('that leaves several blocks of RAM out takes a file for each', async () => {
    const bytes = qemuSample('ignore-shared-10.state');
    const entry = at(bytes, '\x06pc.ram');
    const half = (name: string, address: string) => `02${Buffer.from(name).toString('hex')}0000000000800000${address}`;
    const halves = Buffer.from(half('m0', '0000000000000000') + half('m1', '0000000000800000'), 'hex');
    const state = Buffer.concat([bytes.subarray(0, entry), halves, bytes.subarray(entry + 7 + 16)]);
    const ram = qemuSample('ignore-shared-10.ram');
    const [first, second] = [ram.subarray(0, 0x800000), ram.subarray(0x800000)].map((part) => bufferSource(part));
    const withRam = (...files: [ByteSource, string?][]) => ({
      ...bufferSource(state),
      ram: files.map(([source, block]) => ({ source, block })),
    });
    for (const files of [withRam([second, 'm1'], [first, 'm0']), withRam([first], [second, 'm1'])]) {
      const memory = new MemoryTarget();
      await extract(files, memory);
      expect(Buffer.compare(memory.bytes, ram)).toBe(0);
    }
    const short = bufferSource(ram.subarray(0, 4096));
    for (const [files, said] of [
      [withRam([first], [second]), 'Cannot take RAM from'],
      [withRam([first, 'm0']), 'no file holds "m1"'],
      [withRam([first, 'm0'], [second, 'm0']), 'it is there already'],
      [withRam([first, 'm0'], [second, 'm2']), 'Cannot take RAM "m2" from'],
      [withRam([first, 'm0'], [short, 'm1']), 'of 4096 bytes; the state leaves out "m0" of 8388608 bytes'],
    ] as const)
      await expect(readState(files)).rejects.toThrow(said);
  });
});

it('of a machine type that is not known is extracted with a word about its addresses', async () => {
  const bytes = qemuSample('long-7.state');
  expect(await extract(bufferSource(bytes), new MemoryTarget())).not.toHaveProperty('uncertain');
  put(bytes, at(bytes, 'pc-i440fx-7.2'), 'xy-i440fx-7.2');
  const { uncertain } = await extract(bufferSource(bytes), new MemoryTarget());
  expect(uncertain).toContain('does not tell where all RAM lies');
});

it('of processors with a number of cores that is no power of two, whose interrupt controllers leave out numbers', async () => {
  const bytes = qemuSample('smp-7.state');
  const [head, entry] = ['\x04apic\0\0\0\x01', '"name": "apic", "instance_id": 1'];
  put(bytes, at(bytes, head), head.replace('\x01', '\x04'));
  put(bytes, at(bytes, entry), entry.replace(/1$/, '4'));
  expect(await verifyState(bufferSource(bytes))).toMatchObject({ verdict: 'no-damage-found', findings: [] });
});

it('with devices of whose version the description says nothing, as of user networks, is whole', async () => {
  const bytes = qemuSample('long-10.state');
  const told = '"vmsd_name": "timer", "version": 2,';
  put(
    bytes,
    at(bytes, told),
    told.replace(/"version": 2,/, (words) => ' '.repeat(words.length)),
  );
  expect(await verifyState(bufferSource(bytes))).toMatchObject({ verdict: 'no-damage-found', findings: [] });
});

/** Damage as the real QEMU met it; the words are its own. */
const text = (name: string) => qemuSample(name);
const at = (bytes: Buffer, words: string, from = 0) => bytes.indexOf(words, from, 'latin1');
const put = (bytes: Buffer, offset: number, value: string | Buffer) => {
  bytes.set(Buffer.from(value as string, 'latin1'), offset);
  return bytes;
};
const truth = qemuTruth('long-10.state');
const found = (name: string, instance = 0) =>
  truth.sections.find((each) => each.name === name && each.instance === instance) ?? truth.sections[0];
const sizeOf = (name: string, instance = 0) => {
  const index = truth.sections.indexOf(found(name, instance));
  return truth.sections[index + 1].offset - truth.sections[index].offset;
};
const without = (bytes: Buffer, name: string) => {
  const { offset } = found(name);
  return Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + sizeOf(name))]);
};
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Offset of a register in section `cpu`, and bytes that no CPU has there. */
const CPU_DAMAGES: [string, number, string][] = [
  ['a reserved bit of CR0', 456, '0000000080010211'],
  ['the task switched flag, which QEMU repeats', 456, '0000000080010019'],
  ['a reserved bit of CR4', 480, '0000000000008020'],
  ['a reserved bit of EFER', 816, '0000000000010d00'],
  ['bit 1 of the flags', 136, '0000000000000044'],
  ['the trap flag, which QEMU repeats', 136, '0000000000000106'],
  ['a type in the page attribute table', 868, '0007040600070402'],
  ['a base that is not canonical', 396 + 4, '4000000000001000'],
  ['the mask of the A20 gate', 552, 'fffffffe'],
  ['the limit of CS, against its granularity', 236 + 20 + 12, 'fffffbff'],
  ['code of 64 bits, which QEMU repeats', 236 + 20 + 16, '008f9a00'],
  ['the level of privilege, which QEMU repeats', 236 + 40 + 16, '00cff300'],
  ['bit 10 of DR7', 488 + 7 * 8, '0000000000000000'],
];

/** Offset in the file of the first field of a type, or of a path. */
function fieldAt(bytes: Buffer, what: string): number {
  const { devices } = splitDevices(bytes.subarray(found('timer').offset), found('timer').offset, () => {});
  for (const { described, bodyOffset } of devices)
    for (const { type, path, offset } of described ? fieldsOf(described) : [])
      if (type === what || path === what) return bodyOffset + offset;
  throw new Error(`no field ${what}`);
}

it('of a QEMU before 2.5, whose guest wrote zeros to its debug registers, is whole', async () => {
  const bytes = Buffer.from(text('long-10.state'));
  for (const register of [6, 7]) put(bytes, found('cpu').offset + 17 + 488 + register * 8, Buffer.alloc(8));
  const codes = async () => (await verifyState(bufferSource(bytes))).findings.map(({ code }) => code);
  expect(await codes()).toEqual(['bad-registers', 'bad-registers']);
  put(bytes, at(bytes, 'pc-i440fx-7.2'), 'pc-i440fx-2.5');
  expect(await codes()).toEqual(['bad-registers', 'bad-registers']);
  put(bytes, at(bytes, 'pc-i440fx-2.5'), 'pc-i440fx-2.4');
  expect(await codes()).toEqual([]);
});

it('whose guest has the only interrupt controller, as its first word says with a 2, is whole', async () => {
  const bytes = Buffer.from(text('long-10.state'));
  put(bytes, fieldAt(bytes, 'single_mode'), '\x02');
  expect(await verifyState(bufferSource(bytes))).toMatchObject({ verdict: 'no-damage-found', findings: [] });
});

function withCapability(bytes: Buffer, name: string): Buffer {
  const part = `\x05\x1aconfiguration/capabilities\0\0\0\x01\0\0\0\x01${String.fromCharCode(name.length)}${name}`;
  return Buffer.concat([bytes.subarray(0, 26), Buffer.from(part, 'latin1'), bytes.subarray(26)]);
}

const DAMAGES: [string, string, RegExp | undefined, (bytes: Buffer) => Buffer][] = [
  ['the magic', 'not-a-saved-state', undefined, (b) => put(b, 0, 'QEVN')],
  ['the stream version', 'stream-version', /Unsupported migration stream version/, (b) => put(b, 4, u32(4))],
  ['the length of the machine type', 'too-long', /configuration:name/, (b) => put(b, 9, u32(0x7fffffff))],
  ['the name of a block', 'bad-page', /Unknown ramblock/, (b) => put(b, at(b, 'pc.ram') + 1, 'x')],
  [
    'the size of a block',
    'bad-block',
    /Size mismatch/,
    (b) => put(b, at(b, 'pc.ram') + 6, Buffer.from('0000000002000000', 'hex')),
  ],
  [
    'flags of a page',
    'bad-page',
    /Unknown combination of migration flags/,
    (b) => put(b, at(b, 'pc.ram', 100) - 9 + 6, '\x04'),
  ],
  ['a cut in RAM', 'truncated', /Input\/output error/, (b) => b.subarray(0, 900_000)],
  ['a cut in a device', 'truncated', /instance 0x0 of device 'cpu'/, (b) => b.subarray(0, found('cpu').offset + 700)],
  [
    'the mark after the first device lost',
    'bad-footer',
    /Missing section footer for timer/,
    (b) => {
      const end = found('timer').offset + sizeOf('timer');
      return Buffer.concat([b.subarray(0, end - 5), b.subarray(end)]);
    },
  ],
  ['a lost end mark', 'truncated', /Input\/output error/, (b) => b.subarray(0, found('globalstate').offset + 134)],
  [
    'the mark after a section',
    'bad-footer',
    /footer for cpu - read 0x63 expected 0x4/,
    (b) => put(b, found('cpu').offset + sizeOf('cpu') - 1, '\x63'),
  ],
  ['the name of a device', 'bad-section', /'hqet' 0/, (b) => put(b, found('hpet').offset + 6, 'hqet')],
  ['the instance of a device', 'bad-section', /'i8259' 7/, (b) => put(b, found('i8259', 1).offset + 11, u32(7))],
  [
    'the version of a device',
    'other-version',
    /unsupported version 99 for 'cpu' v12/,
    (b) => put(b, found('cpu').offset + 13, u32(99)),
  ],
  ['the type of a section', 'bad-section', /section type 10/, (b) => put(b, found('fw_cfg').offset, '\x0a')],
  [
    'the run state',
    'bad-run-state',
    /invalid parameter value: jumping/,
    (b) => put(b, found('globalstate').offset + 5 + 1 + 11 + 8 + 4, 'jumping\0'),
  ],
  // QEMU loads the following without a word.
  ['a missing CPU', 'missing-section', undefined, (b) => without(b, 'cpu')],
  ['a missing device', 'missing-section', undefined, (b) => without(b, 'hpet')],
  [
    'a device that comes twice',
    'twice',
    undefined,
    (b) =>
      Buffer.concat([
        b.subarray(0, found('port92').offset),
        b.subarray(found('port92').offset, found('port92').offset + sizeOf('port92')),
        b.subarray(found('port92').offset),
      ]),
  ],
  [
    'paging switched off',
    'bad-registers',
    undefined,
    (b) => put(b, found('cpu').offset + 17 + 456, Buffer.from('0000000000000011', 'hex')),
  ],
  [
    'a root beyond memory',
    'bad-registers',
    undefined,
    (b) => put(b, found('cpu').offset + 17 + 472, Buffer.from('0000000ff0010000', 'hex')),
  ],
  [
    'the size of the run state',
    'bad-run-state',
    undefined,
    (b) => put(b, found('globalstate').offset + 25, u32(0x1000)),
  ],
  [
    'the head of a part of a section',
    'bad-section',
    /^Missing section footer for fw_cfg/,
    (b) => put(b, at(b, 'fw_cfg/dma', found('fw_cfg').offset + 20), 'xw_cfg'),
  ],
  [
    'the configuration',
    'bad-section',
    /^Configuration section missing/,
    (b) => Buffer.concat([b.subarray(0, 8), b.subarray(26)]),
  ],
  ['the description', 'bad-description', undefined, (b) => put(b, b.length - 20_000, Buffer.alloc(400))],
  ['a cut in the description', 'bad-description', undefined, (b) => b.subarray(0, b.length - 100)],
  ['the length of the description', 'bad-description', undefined, (b) => put(b, at(b, '{"configuration"') - 3, '\x7f')],
  ['a name in the description', 'bad-description', undefined, (b) => put(b, at(b, '"name": "hpet"') + 9, 'hqet')],
  [
    'the instance of RAM',
    'bad-section',
    /^Unknown savevm section or instance 'ram' 1\./,
    (b) => put(b, at(b, '\x03ram') + 7, '\x01'),
  ],
  [
    'the name of RAM',
    'bad-section',
    /^Unknown savevm section or instance 'rbm' 0\./,
    (b) => put(b, at(b, '\x03ram') + 2, 'b'),
  ],
  ['the end of a part of RAM', 'bad-page', undefined, (b) => put(b, found('timer').offset - 5 - 4, '\x40')],
  ['a capability', 'bad-header', undefined, (b) => withCapability(b, 'mapped-rbm')],
  [
    'the size of a part of a struct in the description',
    'bad-description',
    undefined,
    (b) => put(b, at(b, '"name": "selector", "type": "uint32", "size": 4') + 46, '2'),
  ],
  ['a timer', 'bad-section', undefined, (b) => put(b, fieldAt(b, 'timer'), '\x80\0')],
  ['the mode of an interrupt controller', 'bad-section', undefined, (b) => put(b, fieldAt(b, 'single_mode'), '\x04')],
  ['a bit of MXCSR that no CPU has', 'bad-section', undefined, (b) => put(b, found('cpu').offset + 17 + 557, '\x01')],
  ['an interrupt line', 'bad-section', undefined, (b) => put(b, fieldAt(b, 'pci irq state'), '\x04')],
  ['unused bytes of a section', 'bad-section', undefined, (b) => put(b, fieldAt(b, 'unused_buffer'), '\x01')],
  ...CPU_DAMAGES.map(([what, offset, bytes]): (typeof DAMAGES)[number] => [
    what,
    'bad-registers',
    undefined,
    (b) => put(b, found('cpu').offset + 17 + offset, Buffer.from(bytes, 'hex')),
  ]),
];

/** Places of tables of the image with snapshots, and the cluster that an entry leads to. */
interface Tables {
  entry: number;
  l2: number;
  counts: number;
  host: number;
}

describe('damage in a state of QEMU', () => {
  it.each(DAMAGES)('%s: is named', async (_, code, says, damage) => {
    const { verdict, findings, qemuSays } = await verifyState(bufferSource(damage(Buffer.from(text('long-10.state')))));
    expect(findings.map((finding) => finding.code)).toContain(code);
    expect(verdict).toBe(
      code === 'not-a-saved-state' ? 'not-a-state' : code === 'stream-version' ? 'unsupported' : 'damaged',
    );
    if (says) expect(qemuSays).toMatch(says);
    else expect(qemuSays).toBeUndefined();
  });

  it('that no reader can see is not called whole', async () => {
    const bytes = qemuSample('long-10.state');
    bytes[5146] ^= 1;
    const { verdict, levels } = await verifyState(bufferSource(bytes));
    expect(verdict).toBe('no-damage-found');
    expect(levels).toEqual({ structure: 'good', completeness: 'good', consistency: 'good', integrity: 'unknown' });
  });

  it('of the bitmap of mapped RAM is told: QEMU loads such pages as zeros', async () => {
    const mapped = qemuSample('mapped-10.state');
    const bitmap = Number(mapped.readBigUInt64BE(at(mapped, 'pc.ram') + 6 + 8 + 4 + 8));
    const first = mapped.subarray(bitmap, bitmap + 512).findIndex((byte) => byte !== 0);
    const bit = Math.log2(mapped[bitmap + first] & -mapped[bitmap + first]);
    mapped[bitmap + first] &= mapped[bitmap + first] - 1;
    const { findings } = await verifyState(bufferSource(mapped));
    const page = `0x${((8 * first + bit) * 4096).toString(16)}`;
    expect(findings).toEqual([
      expect.objectContaining({ severity: 'error', code: 'unnamed-pages', message: expect.stringContaining(page) }),
    ]);
  });

  it('of the bitmap or the pages of mapped RAM: a bit for a page of zeros, or for none', async () => {
    const mapped = qemuSample('mapped-10.state');
    const head = at(mapped, 'pc.ram') + 6 + 8;
    const [bitmap, pages] = [Number(mapped.readBigUInt64BE(head + 12)), Number(mapped.readBigUInt64BE(head + 20))];
    const first = mapped.subarray(bitmap, bitmap + 512).findIndex((byte) => byte !== 0);
    const page = 8 * first + Math.log2(mapped[bitmap + first] & -mapped[bitmap + first]);
    mapped.fill(0, pages + page * 4096, pages + (page + 1) * 4096);
    const rom = at(mapped, 'pc.rom') + 6 + 8;
    mapped[Number(mapped.readBigUInt64BE(rom + 12)) + 7] |= 0x80;
    const { verdict, findings } = await verifyState(bufferSource(mapped));
    expect([verdict, ...findings.map(({ code }) => code)]).toEqual(['damaged', 'zeros-inside', 'bad-mapped-ram']);
    const other = qemuSample('mapped-10.state');
    put(other, at(other, 'pc.rom') + 4, 'b');
    other[bitmap + 8 * 1024] = 1;
    const codes = (await verifyState(bufferSource(other))).findings.map(({ code }) => code);
    expect(codes).toEqual(['bad-block', 'left-over']);
  });

  it.each([
    [
      'an entry that leads to another cluster of the state',
      (b: Buffer, { l2 }: Tables) => b.copy(b, l2, l2 + 8, l2 + 16),
    ],
    ['an entry that leads to the header', (b: Buffer, { l2 }: Tables) => b.writeBigUInt64BE(0x1000n, l2 + 80)],
    ['an entry that leads beyond the image', (b: Buffer, { l2 }: Tables) => b.writeBigUInt64BE(1n << 40n, l2 + 80)],
    ['an entry that leads between clusters', (b: Buffer, { l2 }: Tables) => b.writeUInt8(b[l2 + 86] ^ 2, l2 + 86)],
    ['an entry with a bit of no meaning', (b: Buffer, { l2 }: Tables) => b.writeUInt8(b[l2 + 80] | 1, l2 + 80)],
    ['a cluster that was never written', (b: Buffer, { l2 }: Tables) => b.writeBigUInt64BE(0n, l2 + 80)],
    ['the place of the name of no backing file', (b: Buffer) => b.writeBigUInt64BE(1n << 40n, 8)],
    ['the length of the header', (b: Buffer) => b.writeUInt32BE(64, 100)],
    ['the type of compression', (b: Buffer) => b.writeUInt8(1, 104)],
    ['compatible features', (b: Buffer) => b.writeUInt8(1, 81)],
    ['bitmaps of the disk that the header does not tell', (b: Buffer) => b.writeUInt8(1, 95)],
    ['a raw data file of an image without one', (b: Buffer) => b.writeUInt8(2, 95)],
    ['the entries of the L1 table of the disk', (b: Buffer) => b.writeUInt32BE(0, 36)],
    ['an entry of the table of reference counts', (b: Buffer) => b.writeUInt8(1, Number(b.readBigUInt64BE(48)) + 15)],
    ['the short size of the state', (b: Buffer, { entry }: Tables) => b.writeUInt32BE(77, entry + 32)],
    ['the date', (b: Buffer, { entry }: Tables) => b.writeUInt32BE(2e9, entry + 20)],
    [
      'a cluster that is used more often than there are snapshots',
      (b: Buffer, { counts, host }: Tables) => b.writeUInt16BE(17, counts + 2 * (host / 4096)),
    ],
    [
      'a cluster that counts as free',
      (b: Buffer, { counts, host }: Tables) => b.writeUInt16BE(0, counts + 2 * (host / 4096)),
    ],
    ['the mark of a corrupt image', (b: Buffer) => b.writeUInt8(2, 79)],
    [
      'a longer state than there is',
      (b: Buffer, { entry }: Tables) => b.writeBigUInt64BE(b.readBigUInt64BE(entry + 40) + 4000n, entry + 40),
    ],
  ])('of the tables that lead to a snapshot, which QEMU follows without a look: %s', async (_, damage) => {
    const image = qemuSample('snap-10.qcow2');
    const entry = Number(image.readBigUInt64BE(64)) + 72;
    const l2 = Number(image.readBigUInt64BE(Number(image.readBigUInt64BE(entry)) + 8) & 0xffff_ffff_ffffn);
    const counts = Number(image.readBigUInt64BE(Number(image.readBigUInt64BE(48))));
    // The eleventh cluster of the state: in the midst of a page.
    damage(image, { entry, l2, counts, host: Number(image.readBigUInt64BE(l2 + 80) & 0xffff_ffff_ffffn) });
    const { verdict, findings } = await verifyState(Object.assign(bufferSource(image), { part: 'snap2' }));
    expect(verdict).toBe('damaged');
    expect(findings.map(({ code }) => code)).toContain(
      damage.length > 1 && findings[0].code === 'left-over' ? 'left-over' : 'bad-qcow2',
    );
  });

  it('of an image with holes whose table of reference counts would take hours is told at once', async () => {
    const image = qemuSample('snap-10.qcow2');
    image.writeBigUInt64BE(1n << 30n, 48);
    image.writeUInt32BE(2 ** 30, 56);
    let most = 0;
    const source: ByteSource = {
      ...{ name: 'holes', size: 2 ** 50, seekable: true, part: 'snap2', close: async () => {} },
      read: async (target, position) => {
        most = Math.max(most, position);
        target.fill(0);
        target.set(image.subarray(position, position + target.length));
        return target.length;
      },
    };
    expect(await verifyState(source)).toMatchObject({
      verdict: 'damaged',
      findings: expect.arrayContaining([expect.objectContaining({ qemuSays: 'Reference count table too large' })]),
    });
    expect(most).toBeLessThan(2 ** 31);
  });

  it.each([
    ['its settings', 'bad-xml', (b: Buffer) => put(b, 92, '<domaim')],
    ['a character of its settings', 'bad-xml', (b: Buffer) => put(b, at(b, '<uuid>') + 8, '\x01')],
    ['bytes of its settings', 'bad-xml', (b: Buffer) => put(b, at(b, '<uuid>') + 8, '\xff')],
    ['its UUID', 'bad-xml', (b: Buffer) => put(b, at(b, '<uuid>') + 8, 'x')],
    ['whether it ran', 'bad-header', (b: Buffer) => put(b, 25, '\x01')],
    ['the place of its cookie', 'bad-xml', (b: Buffer) => put(b, 33, '\x40')],
    ['what follows its settings', 'left-over', (b: Buffer) => put(b, 92 + b.readUInt32LE(20) - 9, 'x')],
  ])("of the head of libvirt's image is named: %s", async (_, code, damage) => {
    const { verdict, findings } = await verifyState(bufferSource(damage(qemuSample('virsh-gzip-10.save'))));
    expect([verdict, ...findings.map((finding) => finding.code)]).toEqual(['damaged', code]);
  });

  it('of a container is named', async () => {
    const mapped = qemuSample('mapped-10.state');
    mapped.writeBigUInt64BE(8192n, at(mapped, 'pc.ram') + 6 + 8 + 4);
    expect((await verifyState(bufferSource(mapped))).findings[0].code).toBe('bad-mapped-ram');
    const image = qemuSample('virsh-gzip-10.save');
    put(image, 12, 'Part');
    expect(await verifyState(bufferSource(image))).toMatchObject({
      verdict: 'damaged',
      qemuSays: 'save image is incomplete',
    });
    put(image, 12, 'Save');
    image.writeUInt32LE(42, 28);
    expect(await verifyState(bufferSource(image))).toMatchObject({
      verdict: 'unsupported',
      qemuSays: expect.stringContaining('42'),
    });
    // The program zstd expands what gzip has packed, too.
    image.writeUInt32LE(5, 28);
    expect((await verifyState(bufferSource(image))).findings[0].code).toBe('bad-compression');
    const part = qemuSample('mapped-10.state');
    part[at(part, 'configuration/capabilities') + 26 + 3] = 2;
    expect(await verifyState(bufferSource(part))).toMatchObject({
      verdict: 'unsupported',
      findings: [{ code: 'unknown-part' }],
    });
    const cut = qemuSample('virsh-gzip-10.save').subarray(0, 150_000);
    expect((await verifyState(bufferSource(cut))).verdict).toBe('damaged');
  });

  it.each([
    ['its place', (b: Buffer) => b.writeBigUInt64BE(0x1001n, 64)],
    ['a place beyond the file', (b: Buffer) => b.writeBigUInt64BE(0x7000_0000n, 64)],
    ['zeros', (b: Buffer) => b.fill(0, Number(b.readBigUInt64BE(64)))],
    ['rubbish', (b: Buffer) => b.fill(0x5a, Number(b.readBigUInt64BE(64)))],
    ['the header', (b: Buffer) => b.writeBigUInt64BE(0n, 64)],
    [
      'an L1 table in the table',
      (b: Buffer) => b.writeBigUInt64BE(b.readBigUInt64BE(64) + 8n, Number(b.readBigUInt64BE(64))),
    ],
  ])("of the snapshot table of an image is the file's fault: %s", async (_, damage) => {
    const image = qemuSample('snap-10.qcow2');
    damage(image);
    for (const part of ['snap2', undefined]) {
      const source = Object.assign(bufferSource(image), part ? { part } : {});
      await expect(inspectState(source), part).rejects.toMatchObject({
        code: expect.stringMatching(/bad-qcow2|truncated/),
      });
      expect((await verifyState(source)).verdict).toBe('damaged');
    }
  });

  it('of tables that lead to themselves is told', async () => {
    const image = qemuSample('snap-10.qcow2');
    const table = Number(image.readBigUInt64BE(64));
    const l1 = Number(image.readBigUInt64BE(table));
    const entries = image.readUInt32BE(table + 8);
    for (let i = 0; i < entries; i++) image.writeBigUInt64BE(BigInt(l1) | (1n << 63n), l1 + 8 * i);
    const source = Object.assign(bufferSource(image), { part: 'snap1' });
    expect(await verifyState(source)).toMatchObject({ verdict: 'damaged', findings: [{ code: 'bad-qcow2' }] });
  });
});
