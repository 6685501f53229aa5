import { expect, it } from 'vitest';
import { type ByteSource, bufferSource } from '../../../formats/files/source.ts';
import { isRam, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import { FOUR_GIB, MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { qemuSample } from '../../testing/qemu-samples.ts';
import { MemorySink } from '../../testing/states.ts';
import { makeManifest } from '../manifest/manifest.ts';
import { convertQemu } from '../qemu-convert/convert-qemu.ts';
import { readQemuState } from './read-qemu-state.ts';

/** A state with `max-ram-below-4g=8M`: registers of the CMOS memory as QEMU 10.0.2 sets them, in units of 64 KiB. */
function withLowRam(units = { above: 128, below: 0 }): Buffer {
  const bytes = qemuSample('long-10.state');
  const cmos = bytes.indexOf('mc146818rtc') + 'mc146818rtc'.length + 8;
  bytes.writeUInt16LE(units.below, cmos + 0x34);
  bytes.writeUIntLE(units.above, cmos + 0x5b, 3);
  return bytes;
}
const SPLIT = [
  { offset: 0, size: 8 * MIB, gcPhys: 0 },
  { offset: 8 * MIB, size: 8 * MIB, gcPhys: FOUR_GIB },
];
const piped = (bytes: Buffer): ByteSource => ({ ...bufferSource(bytes), seekable: false, size: undefined });
const WHOLE = [{ offset: 0, size: 16 * MIB, gcPhys: 0 }];

it('RAM lies where the clock of the machine says, not where its type has it', async () => {
  const { layout, blocks } = await readQemuState(bufferSource(withLowRam()));
  expect(layout).toEqual({ stretches: SPLIT, ofType: true, known: true });
  expect(blocks[0]).toMatchObject({ name: 'pc.ram', ranges: [{ start: 0 }, { start: FOUR_GIB, offset: 8 * MIB }] });
});

it('pages of RAM get the addresses that the clock tells', async () => {
  const frames = async (bytes: Buffer) => {
    const found: number[] = [];
    const sink = {
      take: ({ count, page, kind }: PageBatch) => void found.push(...page.subarray(0, isRam(kind[0]) ? count : 0)),
    };
    await readQemuState(bufferSource(bytes), { sink });
    return found;
  };
  const [half, fourGib] = [(8 * MIB) / PAGE_SIZE, FOUR_GIB / PAGE_SIZE];
  const whole = await frames(qemuSample('long-10.state'));
  expect(whole.some((frame) => frame >= half)).toBe(true);
  expect(await frames(withLowRam())).toEqual(whole.map((frame) => (frame < half ? frame : frame - half + fourGib)));
});

it('a conversion keeps these addresses, also by way of a compressed image', async () => {
  const image = qemuSample('virsh-gzip-10.save');
  const xml = image.toString('latin1', 92, image.indexOf(0, 92));
  let source = bufferSource(withLowRam());
  for (const to of ['libvirt-gzip', 'mapped-ram'] as const) {
    const sink = new MemorySink();
    const { proof } = await convertQemu(source, sink, { to, xml: to === 'mapped-ram' ? undefined : xml });
    expect(proof).toMatchObject({ equal: true });
    source = bufferSource(sink.content());
    expect((await readQemuState(source)).layout.stretches).toEqual(SPLIT);
  }
  const memory = async (state: ByteSource) => (await makeManifest(state)).memory;
  expect(await memory(source)).toEqual(await memory(bufferSource(withLowRam())));
});

it('numbers in the clock that do not fit the RAM, as the guest may write them, are not believed', async () => {
  for (const units of [
    { above: 128, below: 1 },
    { above: 256, below: 0 },
    { above: 0xffffff, below: 0xffff },
  ])
    expect((await readQemuState(bufferSource(withLowRam(units)))).layout.stretches).toEqual(WHOLE);
});

it('a pipe tells the addresses only after the pages: it is refused where pages have to be put somewhere', async () => {
  expect((await readQemuState(piped(withLowRam()))).layout.stretches).toEqual(SPLIT);
  await expect(readQemuState(piped(withLowRam()), { sink: { take: () => {} } })).rejects.toMatchObject({
    code: 'not-seekable',
    message: expect.stringContaining('0x800000 bytes of RAM are below 4 GiB'),
  });
  expect((await readQemuState(piped(qemuSample('long-10.state')), { sink: { take: () => {} } })).memoryRead).toBe(true);
});
