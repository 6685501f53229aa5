import type { UnitCodec } from '../../../formats/units/codec/codec.ts';
import { apicCodec } from '../../../formats/units/cpu/apic.ts';
import { cpumCodec } from '../../../formats/units/cpu/cpum-codec.ts';
import { emCodec } from '../../../formats/units/cpu/em.ts';
import { gimCodec } from '../../../formats/units/cpu/gim.ts';
import { tmCodec } from '../../../formats/units/cpu/tm.ts';
import { trpmCodec } from '../../../formats/units/cpu/trpm.ts';
import { vmmCodec } from '../../../formats/units/cpu/vmm.ts';
import { pdmCodec } from '../../../formats/units/machine/pdm.ts';
import { type Merge, refused } from './merge.ts';

/** Changes a unit with a part for every CPU to `count` CPUs; added parts are taken from the donor's unit. */
interface PerCpu<T> {
  unit: string;
  codec: UnitCodec<T>;
  resize(own: T, donor: T, count: number): void;
}

function perCpu<T>(unit: string, codec: UnitCodec<T>, resize: PerCpu<T>['resize']): PerCpu<unknown> {
  return { unit, codec, resize } as PerCpu<unknown>;
}

const PER_CPU: readonly PerCpu<unknown>[] = [
  perCpu('cpum/1', cpumCodec, (own, donor, count) => {
    const asLong = (msrs: readonly bigint[]) => Array.from({ length: own.msrSize / 8 }, (_, i) => msrs[i] ?? 0n);
    own.cpus = resized(
      own.cpus,
      donor.cpus.map((cpu) => ({ ...cpu, msrs: asLong(cpu.msrs) })),
      count,
    );
    own.count = count;
  }),
  perCpu('apic/0', apicCodec, (own, donor, count) => {
    own.cpu = resized(own.cpu, donor.cpu, count);
    own.cpus = count;
  }),
  perCpu('em/0', emCodec, (own, donor, count) => {
    own.cpus = resized(own.cpus, donor.cpus, count);
  }),
  perCpu('trpm/1', trpmCodec, (own, donor, count) => {
    own.cpus = resized(own.cpus, donor.cpus, count);
  }),
  perCpu('pdm/1', pdmCodec, (own, donor, count) => {
    own.cpus = resized(own.cpus, donor.cpus, count);
  }),
  perCpu('vmm/1', vmmCodec, (own, donor, count) => {
    own.started = resized(own.started, donor.started, count - 1);
  }),
  // The time stamp counters of all CPUs go on in step.
  perCpu('tm/1', tmCodec, (own, _, count) => {
    own.tsc = resized(own.tsc, Array<bigint>(count).fill(own.tsc[0]), count);
  }),
];

/** Changes the number of CPUs. Added CPUs wait for a start-up; CPUs that are removed must never have been started. */
export function mergeCpuCount(merge: Merge): void {
  const before = merge.own.state.cpum?.cpus.length;
  const after = merge.donor.state.cpum?.cpus.length;
  if (before === undefined || after === undefined) throw refused('the registers of the CPUs could not be read');
  if (before === after) return;
  const started = merge.value('vmm/1', vmmCodec)?.started.findLastIndex((isStarted) => isStarted) ?? -1;
  if (started + 1 >= after)
    throw refused(
      `the guest uses CPU ${started + 1}, and the machine has ${after}; give it back its ${before}: VBoxManage ` +
        `modifyvm NAME --cpus=${before}`,
    );
  for (const { unit, codec, resize } of PER_CPU) {
    const own = merge.value(unit, codec);
    const donor = merge.donorValue(unit, codec);
    if (!own || !donor) throw refused(`unit ${unit} could not be read, and it has a part for every CPU`);
    resize(own, donor, after);
  }
  const gim = merge.value('GIM/0', gimCodec);
  const there = merge.donorValue('GIM/0', gimCodec);
  if (gim?.kvm && there?.kvm) gim.kvm.cpus = resized(gim.kvm.cpus, there.kvm.cpus, after);
  const how = after > before ? 'the guest has not started the new ones' : 'the guest has not started the removed ones';
  merge.note('kept', 'cpum/1', `CPUs: ${before} become ${after}; ${how}`);
}

function resized<T>(own: readonly T[], donor: readonly T[], count: number): T[] {
  return [...own.slice(0, count), ...donor.slice(own.length, count)];
}
