import type { FormatCode } from '../codes/format-codes.ts';
import { FormatError, type Place } from '../errors.ts';

/** QEMU's message for a section without a device in the machine. */
export function unknownSection(name: string, instance: number): string {
  return (
    `Unknown savevm section or instance '${name}' ${instance}. Make sure that your current VM ` +
    'setup matches your saved VM setup, including any hotplugged devices'
  );
}

/** Damage in a state of QEMU. The format has no status codes, so errors have QEMU's own message. */
export class QemuFormatError extends FormatError {
  constructor(code: FormatCode, message: string, place: Place, qemuSays?: string) {
    super(code, message, place);
    if (qemuSays !== undefined) this.saying(qemuSays);
  }
}
