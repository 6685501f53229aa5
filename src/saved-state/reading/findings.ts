import type { FormatCode } from '../../../formats/codes/format-codes.ts';
import type { UnsupportedCode } from '../../../formats/codes/unsupported-codes.ts';
import { FormatError, type Place, type SavkitError, UnsupportedError } from '../../../formats/errors.ts';

/** One thing that is wrong with a state, as a plain value. */
export interface Finding {
  /** `error`: the file is damaged or cannot be read; `warning`: it is whole, but odd, or a loader may refuse it. */
  severity: 'error' | 'warning';
  /** As `SavkitError.code`; of warnings a `FormatCode`. */
  code: string;
  /** VirtualBox's name for it, where its loader has one. */
  vboxCode?: string;
  /** QEMU's or libvirt's message for it, where they have one. */
  qemuSays?: string;
  /** One line for people. */
  message: string;
  /** Place in the file. */
  place: Place;
  /** savkit does not support this part, which is no fault of the file. */
  unsupported?: true;
}

/** Findings kept; a file of rubbish must not fill the memory. */
export const MAX_FINDINGS = 1000;

export class Findings {
  readonly list: Finding[] = [];
  /** Findings beyond the first thousand. */
  dropped = 0;

  add(finding: Finding): void {
    if (this.list.length < MAX_FINDINGS) this.list.push(finding);
    else this.dropped++;
  }

  addError(error: SavkitError): void {
    this.add(findingOf(error));
  }

  warn(code: FormatCode, message: string, vboxCode?: string, place: Place = {}): void {
    this.add({ severity: 'warning', code, message, place, vboxCode });
  }

  get errors(): Finding[] {
    return this.list.filter((finding) => finding.severity === 'error');
  }
}

export function findingOf(error: SavkitError): Finding {
  const finding: Finding = { severity: 'error', code: error.code, message: error.message, place: error.place };
  if (error.vboxCode) finding.vboxCode = error.vboxCode;
  if (error.qemuSays !== undefined) finding.qemuSays = error.qemuSays;
  if (error instanceof UnsupportedError) finding.unsupported = true;
  return finding;
}

/** The error for a finding of `verify`. */
export function errorOf({ code, message, place, vboxCode, unsupported }: Finding): FormatError | UnsupportedError {
  return unsupported
    ? new UnsupportedError(code as UnsupportedCode, message, place, vboxCode)
    : new FormatError(code as FormatCode, message, place, vboxCode);
}

/** The error that a loader would meet first. */
export function firstError(findings: readonly Finding[]): Finding | undefined {
  const errors = findings.filter((finding) => finding.severity === 'error');
  // V1.x: the loader checks the CRC of the whole file before it looks at any unit.
  return errors.find((finding) => finding.place.unit === undefined && finding.code === 'bad-file-crc') ?? errors[0];
}
