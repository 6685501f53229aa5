import { describe, expect, it } from 'vitest';
import { FormatError, UnsupportedError } from '../errors.ts';
import { parseDescription, sizeOf } from './description.ts';

const DESCRIPTION = {
  page_size: 4096,
  devices: [
    {
      name: 'timer',
      instance_id: 0,
      version: 2,
      fields: [
        { name: 'ticks', type: 'int64', size: 8 },
        { name: 'slots', type: 'uint8', size: 1, array_len: 3, index: 0 },
        { name: 'slots', type: 'uint8', size: 1 },
        {
          name: 'irq',
          type: 'struct',
          size: 4,
          struct: { vmsd_name: 'irq', version: 1, fields: [{ name: 'level', type: 'int32', size: 4 }] },
        },
      ],
      subsections: [{ vmsd_name: 'timer/icount', version: 1, fields: [{ name: 'warp', type: 'bool', size: 1 }] }],
    },
    { name: 'raw', instance_id: 1, fields: [] },
  ],
};

const parse = (value: unknown) => parseDescription(Buffer.from(JSON.stringify(value)));

describe('descriptions of streams', () => {
  it('tell devices with fields, parts and subsections', () => {
    const { pageSize, devices } = parse(DESCRIPTION);
    expect(pageSize).toBe(4096);
    expect(devices.map(({ name, instance, version }) => ({ name, instance, version }))).toEqual([
      { name: 'timer', instance: 0, version: 2 },
      { name: 'raw', instance: 1, version: undefined },
    ]);
    const [{ fields, subsections }] = devices;
    expect(fields.map(({ name, count }) => ({ name, count }))).toEqual([
      { name: 'ticks', count: 1 },
      { name: 'slots[0]', count: 3 },
      { name: 'slots[1]', count: 1 },
      { name: 'irq', count: 1 },
    ]);
    expect(fields[3].struct).toMatchObject({ name: 'irq', version: 1, fields: [{ name: 'level', size: 4 }] });
    expect(subsections).toMatchObject([{ name: 'timer/icount', version: 1 }]);
    expect(sizeOf(devices[0])).toBe(8 + 3 + 1 + 4 + (1 + 1 + 'timer/icount'.length + 4 + 1));
  });

  it.each([
    ['devices is not', { devices: 7 }],
    ['devices[0].name is not text', { devices: [{ name: 7, instance_id: 0 }] }],
    [
      'devices[0].fields[0].size is not',
      { devices: [{ name: 'a', instance_id: 0, fields: [{ name: 'f', type: 't' }] }] },
    ],
    ['devices[0].subsections[0].vmsd_name is not', { devices: [{ name: 'a', instance_id: 0, subsections: [{}] }] }],
    ['it is not an object', []],
  ])('are refused with the place: %s', (why, value) => {
    expect(() => parse(value)).toThrow(FormatError);
    expect(() => parse(value)).toThrow(why);
  });

  it('are refused unread where they are no text, or beyond all that is known', () => {
    expect(() => parseDescription(Uint8Array.of(0x7b, 0xff, 0x7d))).toThrow('not UTF-8');
    expect(() => parseDescription(Buffer.from('{"devices"'))).toThrow('not JSON');
    const deep = Buffer.from(`{"devices":${'['.repeat(200)}${']'.repeat(200)}}`);
    expect(() => parseDescription(deep)).toThrow(UnsupportedError);
    expect(() => parseDescription(Buffer.from(`[${'0,'.repeat(900_000)}0]`))).toThrow(UnsupportedError);
  });
});
