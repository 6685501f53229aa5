import { unsupportedVersion } from '../../../formats/qemu/sections.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { RUN_STATES, runStateSizes } from '../qemu/run-state.ts';
import type { Findings } from '../reading/findings.ts';
import { checkRegisters } from './check-registers.ts';
import { checkSaveImage } from './check-save-image.ts';

/**
 * Checks that the parts of a state agree with each other, and with its container. QEMU itself checks only the run
 * state.
 */
export function checkConsistency(state: QemuState, findings: Findings): void {
  for (const cpu of state.cpus) checkRegisters(cpu, state, findings);
  checkMachineType(state, findings);
  checkRunState(state, findings);
  checkSaveImage(state, findings);
  checkVersions(state, findings);
  if (state.trailing > 0) {
    const message = `${state.trailing} bytes follow the end of the stream: QEMU does not look at them`;
    const place = { offset: state.size - state.trailing };
    // A snapshot has a size of its own; on a volume old data may follow the stream.
    if (state.container.kind === 'qcow2')
      findings.add({
        severity: 'error',
        code: 'left-over',
        message: `${message}, and the size of the snapshot counts them`,
        place,
      });
    else findings.warn('left-over', message, undefined, place);
  }
}

/** Machine types of QEMU for x86; distributions append words to the chipset. */
const X86_MACHINES =
  /^(pc(-(i440fx|q35)-[\w.+-]+|-\d[\w.]*)?|q35|microvm|isapc|xenfv(-[\w.]+)?|xenpv|none|x-remote|nitro-enclave)$/;

function checkMachineType({ configuration: { machine }, cpus }: QemuState, findings: Findings): void {
  if (machine === undefined || cpus.length === 0 || X86_MACHINES.test(machine)) return;
  findings.warn(
    'other-machine',
    `The machine type is ${JSON.stringify(machine)}, which QEMU does not have for the x86 CPUs of the state`,
    undefined,
    {},
  );
}

function checkRunState({ runState, devices }: QemuState, findings: Findings): void {
  const place = { unit: 'globalstate', instance: 0 };
  if (runState !== undefined && !RUN_STATES.includes(runState)) {
    const message = `The run state is ${JSON.stringify(runState)}, which QEMU does not know`;
    const qemuSays = `invalid parameter value: ${runState}`;
    findings.add({ severity: 'error', code: 'bad-run-state', message, place, qemuSays });
  }
  const { told, real } = runStateSizes(devices) ?? {};
  if (told === real) return;
  const message = `The run state is said to have ${told} bytes and has ${real}: QEMU does not look at the number`;
  findings.add({ severity: 'error', code: 'bad-run-state', message, place });
}

/** Checks the versions in the description, which repeat those in the heads of sections. */
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
    const qemuSays = unsupportedVersion(name, version, told);
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
