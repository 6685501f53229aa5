import { writeFileSync } from 'node:fs';
import { bufferSource } from '../../../formats/files/source.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { readSettings } from '../machine-facts/settings.ts';
import { check } from './check.ts';
import { ahci, type Change, disk } from './testing/machine-changes.ts';
import { MachinePark } from './testing/machine-park.ts';

// npm run campaign -- virtualbox-extra-data [WORD]: machines whose extra data change VirtualBox's parts past all
// settings, and the same machines without; the real VirtualBox is asked whether a state of one loads in the other.
// check must have foretold its answer, or say that the setting is not judged; check must judge settings that are known
// to have no effect. Needs mkown.sh; five minutes. SAVKIT_JOURNAL=FILE lets it go on where it was stopped.

/** By name below VBoxInternal; `judged`: the setting has no effect, and check knows that. */
const SETTINGS: readonly { name: string; value: string; judged?: true; also?: Change[] }[] = [
  { name: 'Devices/pcbios/0/Config/DmiSystemVendor', value: 'savkit', judged: true },
  { name: 'Devices/pcbios/0/Config/DmiBIOSVersion', value: 'string:7', judged: true },
  { name: 'Devices/VMMDev/0/Config/GetHostTimeDisabled', value: '1', judged: true },
  { name: 'Devices/mc146818/0/Config/UseUTC', value: '1', judged: true },
  {
    name: 'Devices/ahci/0/Config/Port0/SerialNumber',
    value: 'savkit1',
    judged: true,
    also: [ahci(1), ...disk('sata', '0')],
  },
  { name: 'TM/WarpDrivePercentage', value: '200' },
  { name: 'TM/TSCMode', value: 'NoSuchMode' },
  { name: 'TM/TSCTicksPerSecond', value: '1000000000' },
  { name: 'TM/TSCTiedToExecution', value: '1', judged: true },
  { name: 'HM/Exclusive', value: '0', judged: true },
  { name: 'CPUM/HostCPUID/00000001/ecx', value: '0', judged: true },
  { name: 'CPUM/HostCPUID/00000001/edx', value: '0', judged: true },
  { name: 'CPUM/HostCPUID/80000001/edx', value: '0', judged: true },
  { name: 'CPUM/StrictCpuIdChecks', value: '0', judged: true },
  { name: 'CPUM/PortableCpuIdLevel', value: '3' },
  { name: 'CPUM/NestedHWVirt', value: '1' },
  { name: 'CPUM/IsaExts/SSE4.1', value: '0' },
  { name: 'CPUM/GuestCpuName', value: 'Intel Pentium N3530 2.16GHz' },
  { name: 'CPUM/MaxExtLeaf', value: '0x80000004' },
  { name: 'RamHoleSize', value: '1073741824' },
  { name: 'RamSize', value: '8388608' },
  { name: 'NumCPUs', value: '2' },
  { name: 'GIM/Provider', value: 'Minimal' },
  { name: 'Devices/apic/0/Config/Mode', value: '3' },
  { name: 'Devices/apic/0/Config/IOAPIC', value: '0' },
  { name: 'Devices/8237A/0/Trusted', value: '0' },
  { name: 'Devices/hpet/0/Trusted', value: '1' },
  { name: 'Devices/ahci/0/Config/PortCount', value: '4', also: [ahci(1), ...disk('sata', '0')] },
  { name: 'PGM/ZeroRamPagesOnReset', value: '0' },
];

const [word = ''] = process.argv.slice(2);
const virtualBox = await VirtualBox.find();
const score = new Score();
const park = new MachinePark(virtualBox, { prefix: 'savkit-extra-' });

try {
  for (const { name, value, judged, also = [] } of SETTINGS) {
    const full = `VBoxInternal/${name}`;
    if (!name.includes(word)) continue;
    try {
      const extra = [...also, ['setextradata', '@', full, value]];
      await score.part(full, () => tryPair(full, also, extra, judged === true));
    } catch (error) {
      // Machines with some of the values do not start: that says nothing about check.
      console.log(`not tried: ${full}: ${(error as Error).message.trim().slice(0, 200)}`);
    }
    await park.remove('plain');
    await park.remove('extra');
  }
} finally {
  await park.close();
}
score.close();

async function tryPair(full: string, plain: readonly Change[], extra: readonly Change[], judged: boolean) {
  const machines = { plain, extra };
  const settings = { plain: await park.settings('plain', plain), extra: await park.settings('extra', extra) };
  for (const [from, into] of [
    ['plain', 'extra'],
    ['extra', 'plain'],
  ] as const) {
    const state = await park.state(from, machines[from]).catch(() => undefined);
    if (!state) {
      console.log(`not tried: a state saved ${from === 'extra' ? 'with' : 'without'} ${full}: it does not start`);
      continue;
    }
    const path = park.place('state.sav');
    writeFileSync(path, state);
    const answer = await park.answer(path, into);
    const { forecast, notJudged } = await check(bufferSource(state), {
      machine: readSettings(settings[into], 'target.vbox'),
    });
    const isTold = notJudged.some((text) => text.includes(full));
    const foretold = forecast?.vboxCode ?? 'loads';
    const isRight = foretold === answer.code;
    score.check(
      `${full}, ${into === 'extra' ? 'set later' : 'gone since'}: ${answer.code}${isTold ? ', not judged' : ''}`,
      judged ? isRight && !isTold && notJudged.length === 0 : isRight || (isTold && into === 'extra'),
      `foretold ${foretold}; not judged: ${notJudged.join('; ')}; VirtualBox: ${answer.output.trim().split('\n')[0]}`,
    );
  }
}
