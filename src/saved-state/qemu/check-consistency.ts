import { hex } from '../../../formats/errors.ts';
import type { QemuCpu } from '../../../formats/qemu/cpu.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { Findings } from '../reading/findings.ts';
import { readDomain } from './libvirt-domain.ts';
import type { QemuState } from './qemu-state.ts';
import { RUN_STATES, runStateSizes } from './run-state.ts';

/**
 * Whether the parts of a state agree with each other, and with what it lies in. QEMU checks none of this but the run
 * state.
 */
export function checkConsistency(state: QemuState, findings: Findings): void {
  for (const cpu of state.cpus) checkCpu(cpu, state, findings);
  checkRunState(state, findings);
  checkDomain(state, findings);
  checkVersions(state, findings);
  if (state.trailing > 0) {
    const message = `${state.trailing} bytes follow the end of the stream: QEMU does not look at them`;
    findings.warn('left-over', message, undefined, { offset: state.size - state.trailing });
  }
}

const PE = 1n << 0n;
const PG = 1n << 31n;
const PAE = 1n << 5n;
const LME = 1n << 8n;
const LMA = 1n << 10n;
const ROOT = 0x000f_ffff_ffff_f000n;

/** Registers that no x86 CPU can have together. */
function checkCpu({ index, registers }: QemuCpu, { blocks }: QemuState, findings: Findings): void {
  const { cr0 = 0n, cr3 = 0n, cr4 = 0n, efer = 0n } = registers;
  const has = (value: bigint, bit: bigint) => (value & bit) !== 0n;
  const odd = (what: string) => {
    const message = `CPU ${index}: ${what}; no CPU has such registers, and QEMU loads them without a word`;
    findings.add({ severity: 'error', code: 'bad-registers', message, place: { unit: 'cpu', instance: index } });
  };
  if (has(cr0, PG) && !has(cr0, PE)) odd(`CR0 is ${hex(cr0)}, paging without protected mode`);
  if (has(efer, LMA) !== (has(efer, LME) && has(cr0, PG)))
    odd(`EFER is ${hex(efer)} and CR0 ${hex(cr0)}: long mode is active just when it is enabled and paging is on`);
  if (has(efer, LMA) && !has(cr4, PAE)) odd(`CR4 is ${hex(cr4)}, long mode without PAE`);
  const root = cr3 & ROOT;
  const ranges = blocks.flatMap((block) => block.ranges);
  if (has(cr0, PG) && !ranges.some(({ start, end }) => root >= BigInt(start) && root < BigInt(end)))
    odd(`CR3 is ${hex(cr3)}, where there is no memory`);
}

function checkRunState({ runState, devices }: QemuState, findings: Findings): void {
  const place = { unit: 'globalstate', instance: 0 };
  if (runState !== undefined && !RUN_STATES.includes(runState)) {
    const message = `The run state is ${JSON.stringify(runState)}, which QEMU does not know`;
    const qemuSays = `invalid parameter value: ${runState}`;
    findings.add({ severity: 'error', code: 'bad-run-state', message, place, qemuSays });
  }
  const sizes = runStateSizes(devices);
  if (sizes && sizes.told !== sizes.real) {
    const message = `The run state is said to have ${sizes.told} bytes and has ${sizes.real}: QEMU does not look at the number`;
    findings.add({ severity: 'error', code: 'bad-run-state', message, place });
  }
}

/** libvirt's settings of the machine, beside which the stream lies. */
function checkDomain({ container, configuration, cpus, blocks }: QemuState, findings: Findings): void {
  if (container.kind !== 'libvirt') return;
  const domain = readDomain(container.image.xml);
  if (!domain) {
    findings.warn('bad-xml', "libvirt's settings of the machine can not be read: virsh refuses the image");
    return;
  }
  const ramSize = blocks.reduce((sum, block) => sum + (block.isRam ? block.size : 0), 0);
  const told = (what: string, own: unknown, other: unknown) => {
    if (own === undefined || other === undefined || own === other) return;
    const message = `libvirt's settings say ${what} ${own}, the stream says ${other}: QEMU will refuse it or take the wrong machine`;
    findings.add({ severity: 'error', code: 'other-machine', message, place: {} });
  };
  told('machine type', domain.machine, configuration.machine);
  told('RAM of bytes', domain.memory, ramSize > 0 ? ramSize : undefined);
  told('number of CPUs', domain.cpus, cpus.length > 0 ? cpus.length : undefined);
}

/** The description repeats the version that the head of each section has. */
function checkVersions({ devices, description }: QemuState, findings: Findings): void {
  if (description?.pageSize !== undefined && description.pageSize !== PAGE_SIZE)
    findings.warn(
      'page-size',
      `The description tells pages of ${description.pageSize} bytes, savkit reads pages of ${PAGE_SIZE}`,
    );
  for (const { name, instance, version, described } of devices) {
    const told = described?.fields.length === 0 ? undefined : described?.version;
    if (told === undefined || told === version) continue;
    const message = `Section ${JSON.stringify(name)} ${instance} has version ${version}, the description says ${told}`;
    const qemuSays = `savevm: unsupported version ${version} for '${name}' v${told}`;
    const place = { unit: name, instance, version };
    findings.add({
      severity: 'error',
      code: 'other-version',
      message,
      place,
      qemuSays: version > told ? qemuSays : undefined,
    });
  }
}
