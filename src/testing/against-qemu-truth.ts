import { createHash } from 'node:crypto';
import type { ByteSource } from '../../formats/files/source.ts';
import { openMachine } from '../machine/opened-machine.ts';
import { mappingsOf } from '../paging/mappings-of.ts';
import { extract } from '../saved-state/extract/extract.ts';
import type { QemuState } from '../saved-state/qemu/qemu-state.ts';
import { verifyQemu } from '../saved-state/qemu-verify/verify-qemu.ts';
import type { QemuTruth } from './qemu-samples.ts';
import { MemoryTarget, SparseTarget, sha256 } from './states.ts';

/** Compares a state of QEMU with what an independent reader, and QEMU itself, have found in it. @returns differences */
export async function compareWithQemuTruth(source: ByteSource, truth: QemuTruth): Promise<string[]> {
  const differences: string[] = [];
  const same = (what: string, found: unknown, expected: unknown) => {
    if (JSON.stringify(found) !== JSON.stringify(expected))
      differences.push(`${what}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
  };
  const { verdict, state } = await verifyQemu(source);
  same('verdict', verdict, 'no-damage-found');
  if (!state) return differences;
  same('machine type', state.configuration.machine, truth.stream.configuration.machine);
  same(
    'sections',
    sectionsOf(state),
    truth.sections.map(({ type, id, name, instance, version, offset }) => [type, id, name, instance, version, offset]),
  );
  for (const [i, device] of state.devices.entries())
    same(
      `body of ${device.name}`,
      sha256(device.body),
      truth.sections.filter(({ type }) => type === 'full')[i]?.sha256,
    );
  const ram = new SparseTarget();
  await extract(source, ram);
  const hash = createHash('sha256');
  for (const { gcPhys, size } of state.layout.stretches) for (const piece of ram.read(gcPhys, size)) hash.update(piece);
  same('RAM', hash.digest('hex'), truth.ram.sha256);
  for (const block of truth.blocks.slice(1)) {
    const target = new MemoryTarget();
    await extract(source, target, { mmio2: block.name });
    same(`block ${block.name}`, sha256(target.bytes), block.sha256);
  }
  for (const cpu of truth.vcpus) same(`registers of CPU ${cpu.index}`, registersOf(state, cpu), cpu.registers);
  for (const { index, translation } of truth.vcpus)
    if (translation) same(`translation of CPU ${index}`, await translationOf(source, index), translation.sha256);
  return differences;
}

/** Offsets from the start of the stream. */
function sectionsOf({ ramSections, devices, container }: QemuState): unknown[] {
  const isInFile = container.kind === 'libvirt' && ['raw', 'sparse'].includes(container.image.compression);
  const start = isInFile ? container.image.streamStart : 0;
  return [...ramSections, ...devices].map(({ type, id, name, instance, version, offset }) => [
    type,
    id,
    name,
    instance,
    version,
    offset - start,
  ]);
}

const hex = (value: number | bigint) => `0x${value.toString(16)}`;
/** Names of the truth that are not ours. */
const OTHER_NAMES: Record<string, string> = { LDT: 'ldtr', GDT: 'gdtr', IDT: 'idtr' };
/** Registers of the truth that savkit does not decode. */
const UNDECODED = ['HFLAGS', 'A20MASK', 'TSC', 'SMBASE'];

function registersOf({ cpus }: QemuState, { index, registers }: QemuTruth['vcpus'][number]): unknown {
  const cpu = cpus.find((each) => each.index === index);
  return Object.fromEntries(
    Object.entries(registers).map(([name, expected]) => {
      if (UNDECODED.includes(name)) return [name, expected];
      const own = OTHER_NAMES[name] ?? name.toLowerCase();
      const segment = cpu?.segments[own];
      if (segment)
        return [
          name,
          {
            selector: hex(segment.selector),
            base: hex(segment.base),
            limit: hex(segment.limit),
            flags: hex(segment.flags),
          },
        ];
      const value = cpu?.registers[own];
      return [name, value === undefined ? undefined : hex(value)];
    }),
  );
}

/** SHA-256 over lines "virtual physical size pagesize flags", as the truth has it. */
async function translationOf(source: ByteSource, cpu: number): Promise<string> {
  const machine = await openMachine(source);
  try {
    const hash = createHash('sha256');
    const { runs } = await mappingsOf(machine.space(cpu));
    for (const { virtual, gcPhys, size, pageSize, writable, user, executable } of runs) {
      const flags = `${writable ? 'w' : ''}${user ? 'u' : ''}${executable ? 'x' : ''}`;
      hash.update(
        `${virtual.toString(16)} ${gcPhys.toString(16)} ${size.toString(16)} ${pageSize.toString(16)} ${flags}\n`,
      );
    }
    return hash.digest('hex');
  } finally {
    machine.close();
  }
}
