import { INCOMPLETE_NAME } from '../../../formats/incomplete-name.ts';
import { isEarly } from '../../../formats/qemu/parted-bodies.ts';
import { expectedPages } from '../qemu/plugged-memory.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import type { Findings } from '../reading/findings.ts';

/** Checks that all listed parts are in the state. The file does not tell whether the machine had more devices. */
export function checkCompleteness(state: QemuState, findings: Findings): void {
  if (state.memoryRead) checkPages(state, findings);
  if (!state.ended) return;
  checkEarly(state, findings);
  checkCpus(state, findings);
  checkSalvage(state, findings);
  if (state.description) return;
  findings.warn(
    'no-description',
    'The state has no description of its sections: their ends are a guess, and missing sections cannot be told',
  );
}

function checkPages(state: QemuState, findings: Findings): void {
  const { blocks, hasOtherChannels } = state;
  for (const block of blocks) {
    const { name, pages, isMapped, leftOut } = block;
    const expected = expectedPages(block, state);
    if (isMapped || pages >= expected) continue;
    const what = `Of ${expected} pages of block ${JSON.stringify(name)} ${expected - pages} are not in the file`;
    const place = { unit: 'ram', instance: 0 };
    if (leftOut) {
      const message = `${what}: they lie in the file that the machine shares its memory with (x-ignore-shared)`;
      findings.warn('pages-elsewhere', message, undefined, place);
    } else if (hasOtherChannels) {
      const message = `${what}: they went over other connections (multifd), and no state of one file can hold them`;
      findings.add({ severity: 'error', code: 'pages-elsewhere', message, place, unsupported: true });
    } else {
      const message = `${what}: QEMU loads the rest without an error, and leaves these as they are`;
      findings.add({ severity: 'error', code: 'pages-missing', message, place });
    }
  }
}

/**
 * Checks the sections of devices before the pages of RAM, which are read apart from the others that the description
 * lists.
 */
function checkEarly({ description, otherSections }: QemuState, findings: Findings): void {
  for (const { name, instance } of description?.devices ?? []) {
    if (!isEarly(name) || otherSections.some((each) => each.name === name && each.instance === instance)) continue;
    const message = `Section ${JSON.stringify(name)} ${instance} is missing, which the description lists`;
    findings.add({ severity: 'error', code: 'missing-section', message, place: { unit: name, instance } });
  }
}

/** Reports the section with which salvage makes QEMU refuse the state. */
function checkSalvage({ devices }: QemuState, findings: Findings): void {
  const marker = devices.find(({ name }) => name === INCOMPLETE_NAME);
  if (!marker) return;
  const lists = `the section ${INCOMPLETE_NAME} lists`;
  const message = `Parts of the machine are missing, as ${lists}: QEMU refuses to load the state`;
  const place = { unit: INCOMPLETE_NAME, instance: 0, offset: marker.offset };
  const qemuSays = `Unknown savevm section or instance '${INCOMPLETE_NAME}' 0`;
  findings.add({ severity: 'warning', code: 'incomplete', message, place, qemuSays });
}

/**
 * Checks the sections of CPUs: each has `cpu` and `cpu_common`; on x86 machines with an interrupt controller `apic`,
 * too.
 */
function checkCpus({ devices, configuration }: QemuState, findings: Findings): void {
  const instancesOf = (section: string) =>
    devices.filter(({ name }) => name === section).map((device) => device.instance);
  const known = new Set(instancesOf('cpu'));
  const lacks = (message: string, instance: number | undefined) =>
    findings.add({ severity: 'error', code: 'missing-section', message, place: { unit: 'cpu', instance } });
  for (const { code, place } of findings.list)
    if (code === 'missing-section' && place.unit === 'cpu') known.add(place.instance ?? 0);
  for (const instance of instancesOf('cpu_common')) {
    if (known.has(instance)) continue;
    known.add(instance);
    lacks(`Section "cpu" ${instance} is missing, but cpu_common ${instance} is there: ${RESET}`, instance);
  }
  // Numbers of APICs have gaps where the number of cores is no power of two.
  const apics = instancesOf('apic').length;
  if (known.size > 0 && apics > known.size)
    lacks(`There are ${apics} sections "apic", and ${known.size} of CPUs: ${RESET}`, undefined);
  // The machine type `none` has a CPU only if it is asked for one.
  if (known.size > 0 || configuration.machine === 'none') return;
  lacks('There is no section "cpu": QEMU loads the state without an error, with its CPUs as after a reset', undefined);
}

const RESET = 'QEMU loads the state without an error, with that CPU as after a reset';
