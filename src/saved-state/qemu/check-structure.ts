import { hex } from '../../../formats/errors.ts';
import { misplacedSubsection } from '../../../formats/qemu/device-fields.ts';
import type { Findings } from '../reading/findings.ts';
import type { QemuState } from './qemu-state.ts';

/** What a reading passes without a look: heads inside of sections, and a start that is not there. */
export function checkStructure({ devices, configuration }: QemuState, findings: Findings): void {
  // Machine types before 2.4 have neither marks nor a configuration.
  if (configuration.machine === undefined && devices.some(({ footer }) => footer)) {
    const message = 'There is no configuration at the start, and marks after the sections: writers have both, or none';
    const qemuSays = 'Configuration section missing';
    findings.add({ severity: 'error', code: 'bad-section', message, place: { offset: CONFIGURATION }, qemuSays });
  }
  for (const { name, instance, described, body, bodyOffset } of devices) {
    const head = described && misplacedSubsection(described, body);
    if (!head) continue;
    const offset = bodyOffset + head.at;
    const message =
      `Section ${JSON.stringify(name)} ${instance} has no head of its part ${JSON.stringify(head.name)} at ` +
      `${hex(offset)}, where the description has one`;
    const place = { unit: name, instance, offset };
    const qemuSays = `Missing section footer for ${name}`;
    findings.add({ severity: 'error', code: 'bad-section', message, place, qemuSays });
  }
}

/** After magic and version. */
const CONFIGURATION = 8;
