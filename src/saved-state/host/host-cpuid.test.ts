import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { check } from '../check/check.ts';
import { offeredState } from '../check/compare-cpuid.ts';
import { readHostCpuid } from './host-cpuid.ts';

// One host, told in two ways: by Linux, and by 7.2.22 in the log of a machine. Shortened.
const CPUINFO = `processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
flags		: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm pni pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave avx f16c rdrand hypervisor lahf_lm cmp_legacy cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw topoext avx2 avx512f
bugs		: null_seg

processor	: 1
vendor_id	: AuthenticAMD
flags		: fpu
`;
const LOG = `00:00:00.500208          Raw Standard CPUID Leaves
00:00:00.500208      Leaf/sub-leaf  eax      ebx      ecx      edx
00:00:00.500209 Gst: 00000000/0000  00000016 68747541 444d4163 69746e65
00:00:00.500210 Hst:                0000001c 68747541 444d4163 69746e65
00:00:00.500210 Gst: 00000001/0000  00a10f11 00010800 04d82201 178bfbff
00:00:00.500211 Hst:                00a10f11 01020800 fffa3203 178bfbff
00:00:00.500415 Gst: 0000000d/0000  00000003 00000240 00000240 00000000
00:00:00.500415 Hst:                000000e7 00000980 00000980 00000000
00:00:00.500415 Gst: 0000000d/0001  00000000 00000000 00000000 00000000
00:00:00.500415 Hst:                0000000f 00000980 00000000 00000000
00:00:00.500319          Raw Extended CPUID Leaves
00:00:00.500320 Gst: 80000001/0000  00a10f11 40000000 00000031 2b93fb7f
00:00:00.500320 Hst:                00a10f11 40000000 004003f3 2fd3fbff
`;

const state = bufferSource(readFileSync(join(STATES_FOLDER, 'own-long.sav')));

describe('readHostCpuid()', () => {
  it('tells the same of a host from cpuinfo and from a log', () => {
    const [told, logged] = [readHostCpuid(CPUINFO, 'cpuinfo'), readHostCpuid(LOG, 'VBox.log')];
    expect(told.rawBasic[0].ebx).toBe(logged.rawBasic[0].ebx);
    // CPUID says besides that the system has switched XSAVE on.
    const OSXSAVE = 1 << 27;
    expect((told.rawBasic[1].ecx | OSXSAVE) >>> 0).toBe(0xfffa3203);
    expect(told.rawBasic[1].edx).toBe(0x178bfbff);
    expect(told.rawBasic[0xd].eax).toBe(logged.rawBasic[0xd].eax);
    expect(told.rawExtended[1].ecx).toBe(0x004003f3);
    // AMD repeats here what leaf 1 says.
    const REPEATED = 0x0183f3ff;
    expect((told.rawExtended[1].edx | REPEATED) >>> 0).toBe(0x2fd3fbff);
    expect([offeredState(told), offeredState(logged)]).toEqual([undefined, 3n]);
  });

  it.each([
    ['nothing', ''],
    ['an ARM host', 'processor : 0\nFeatures : fp asimd\n'],
    ['a log without the dump', '00:00:00.1 VirtualBox VM 7.2.22'],
  ])('refuses %s', (_what, text) => {
    expect(() => readHostCpuid(text, 'file')).toThrow(expect.objectContaining({ code: 'no-cpuid' }));
  });
});

describe('check() with a host', () => {
  it('judges the CPU alone, and takes nothing for granted', async () => {
    const report = await check(state, { host: readHostCpuid(LOG, 'VBox.log') });
    expect(report).toMatchObject({ loads: true, notJudged: [], assumed: [] });
  });

  it('foretells the refusal on a host that lacks a feature', async () => {
    const host = readHostCpuid(CPUINFO.replace(' sse2 ', ' ').replace(' cx16 ', ' '), 'cpuinfo');
    const { forecast } = await check(state, { host });
    expect(forecast).toMatchObject({ vboxCode: 'VERR_SSM_LOAD_CPUID_MISMATCH', unit: 'cpum/1' });
    expect(forecast?.message).toMatch(/leaf 1 ECX, bits 0x2000/);
  });
});
