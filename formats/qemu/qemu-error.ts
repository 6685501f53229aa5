import type { FormatCode } from '../codes/format-codes.ts';
import { FormatError, type Place } from '../errors.ts';

/** Damage in a state of QEMU. The format has no status codes; QEMU's own message stands in their place. */
export class QemuFormatError extends FormatError {
  constructor(code: FormatCode, message: string, place: Place, qemuSays?: string) {
    super(code, message, place);
    if (qemuSays !== undefined) this.saying(qemuSays);
  }
}
