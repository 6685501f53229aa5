import { expect, it } from 'vitest';
import type { Gim } from '../../../../formats/units/cpu/gim.ts';
import type { Tm } from '../../../../formats/units/cpu/tm.ts';
import { MACHINES, template } from '../../testing/woken.ts';
import { wakeKvmClock } from './kvm-clock.ts';

const clock = { tsc: 0n, virtualNs: 0n, systemTime: 0n, systemTimeVersion: 2, flags: 0 };
const kvm = { version: 1, cpus: [{ ...clock, systemTimeMsr: 0x123_4001n }], wallClockMsr: 0x567_8000n, features: 9 };

it.each(MACHINES)('%s knows where a guest of KVM wants its clock', async (machine) => {
  const target = await template(machine);
  const cpu = target.section('cpu');
  const before = cpu.number('env.system_time_msr');
  wakeKvmClock({ provider: 'none', version: 0 } as unknown as Gim, { virtual: 5n } as Tm, target);
  expect(cpu.number('env.system_time_msr')).toBe(before);
  wakeKvmClock({ provider: 'kvm', version: 0, kvm } as unknown as Gim, { virtual: 5n } as Tm, target);
  expect([cpu.number('env.system_time_msr'), cpu.number('env.wall_clock_msr')]).toEqual([0x123_4001n, 0x567_8000n]);
});
