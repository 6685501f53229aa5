import { describe, expect, it } from 'vitest';
import { hostAddresses, type Monitor } from './host-addresses.ts';

const NEW_BLOCKS = `              Block Name    PSize              Offset               Used              Total                HVA  RO\r
                  pc.ram    4 KiB  0x0000000000000000 0x0000000001000000 0x0000000001000000  0x00007fada2e00000  rw\r
                  pc.rom    4 KiB  0x0000000001040000 0x0000000000020000 0x0000000000020000  0x00007fada1c00000  ro\r
`;
const OLD_BLOCKS = `              Block Name    PSize              Offset               Used              Total\r
                  pc.ram    4 KiB  0x0000000000000000 0x0000000001000000 0x0000000001000000\r
`;
const MEMORY = `FlatView #0\r
 Root memory region: system\r
  0000000000000000-000000000009ffff (prio 0, ram): pc.ram\r
  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\r
  0000000000100000-0000000007ffffff (prio 0, ram): pc.ram @0000000000100000\r
  0000000100000000-0000000107ffffff (prio 0, ram): dimm0 @0000000000001000\r
`;

function monitor(answers: Record<string, string>): Monitor {
  return async (line) => answers[line] ?? '';
}

describe('hostAddresses()', () => {
  it('reads the table of blocks where that has addresses', async () => {
    const address = await hostAddresses(monitor({ 'info ramblock': NEW_BLOCKS }));
    expect(await address('pc.ram')).toBe(0x7fada2e00000);
    expect(await address('dimm0')).toBeUndefined();
  });

  it('else asks where a guest address stands, and believes only an answer about the same memory', async () => {
    const older = { 'info ramblock': OLD_BLOCKS, 'info mtree -f': MEMORY };
    const asked = {
      'gpa2hva 0x0000000000000000': 'Host virtual address for 0x0 (pc.ram) is 0x7f173ae00000\r\n',
      'gpa2hva 0x0000000100000000': 'Host virtual address for 0x100000000 (dimm0) is 0x7f2000001000\r\n',
    };
    const address = await hostAddresses(monitor({ ...older, ...asked }));
    expect(await address('pc.ram')).toBe(0x7f173ae00000);
    expect(await address('dimm0')).toBe(0x7f2000000000);
    expect(await address('other')).toBeUndefined();
    const another = { 'gpa2hva 0x0000000000000000': 'Host virtual address for 0x0 (pc.rom) is 0x7f173ae00000' };
    expect(await (await hostAddresses(monitor({ ...older, ...another })))('pc.ram')).toBeUndefined();
    expect(await (await hostAddresses(monitor(older)))('pc.ram')).toBeUndefined();
  });
});
