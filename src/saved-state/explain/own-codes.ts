import { getSystemErrorMap } from 'node:util';
import { DIFFERENCE_CODES, type DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import { ENVIRONMENT_CODES } from '../../../formats/codes/environment-codes.ts';
import { FORMAT_CODES, type FormatCode } from '../../../formats/codes/format-codes.ts';
import { UNSUPPORTED_CODES } from '../../../formats/codes/unsupported-codes.ts';
import { USAGE_CODES } from '../../../formats/codes/usage-codes.ts';
import { HOST_MEMORY_CODES } from '../../gmm/host-memory-error.ts';
import type { Trouble } from './codes/kinds.ts';

/** The codes of one class of errors, or of one kind of findings. */
export interface CodeFamily {
  /** Name of the class, or of the kind of findings. */
  error: string;
  /** Meaning of each code, for people. */
  codes: Readonly<Record<string, string>>;
  /** Kind of trouble of most codes. */
  kind: Trouble;
  /** Codes of other kinds. */
  kinds?: Readonly<Record<string, Trouble>>;
}

const KINDS_OF_FORMAT_CODES = {
  'bad-json': 'other-file-bad',
  'bad-layout': 'other-file-bad',
  'bad-manifest': 'other-file-bad',
  'bad-message': 'other-file-bad',
  'bad-settings': 'other-file-bad',
  'bad-trace': 'other-file-bad',
  'bad-size': 'file-cut',
  'bad-version': 'not-this-format',
  'flipped-bit': 'information',
  'manifest-other': 'other-file-bad',
  more: 'information',
  'more-zeros': 'information',
  'no-cpuid': 'other-file-bad',
  'no-description': 'information',
  'not-qcow2': 'not-this-format',
  'not-qemu': 'not-this-format',
  'nothing-left': 'file-cut',
  'pages-elsewhere': 'pages-elsewhere',
  'pages-missing': 'file-cut',
  partial: 'file-cut',
  truncated: 'file-cut',
  'zeros-to-end': 'file-cut',
} satisfies Partial<Record<FormatCode, Trouble>>;

const KINDS_OF_DIFFERENCES = {
  'container-too-new': 'release-differs',
  'cpu-feature': 'cpu-differs',
  cpuid: 'cpu-differs',
  'extended-state': 'cpu-differs',
  'live-pgm-10': 'release-differs',
  'manifest-bytes': 'bytes-changed',
  'manifest-field': 'bytes-changed',
  'manifest-page': 'bytes-changed',
  'manifest-size': 'bytes-changed',
  'manifest-unit': 'bytes-changed',
  'no-console-data': 'unit-contradicts',
  'no-cpum': 'unit-contradicts',
  'other-version': 'release-differs',
  'page-types': 'release-differs',
  'unit-too-new': 'release-differs',
  'unit-too-old': 'release-differs',
  'unit-unknown': 'release-differs',
} satisfies Partial<Record<DifferenceCode, Trouble>>;

/** All codes but those of migrations. */
export const CODE_FAMILIES: readonly CodeFamily[] = [
  { error: 'FormatError', codes: FORMAT_CODES, kind: 'bytes-changed', kinds: KINDS_OF_FORMAT_CODES },
  { error: 'UnsupportedError', codes: UNSUPPORTED_CODES, kind: 'not-supported' },
  { error: 'Difference', codes: DIFFERENCE_CODES, kind: 'machine-differs', kinds: KINDS_OF_DIFFERENCES },
  { error: 'UsageError', codes: USAGE_CODES, kind: 'asked-wrongly' },
  { error: 'EnvironmentError', codes: ENVIRONMENT_CODES, kind: 'around-savkit' },
  { error: 'HostMemoryError', codes: HOST_MEMORY_CODES, kind: 'host-trouble' },
  {
    error: 'InterruptedError',
    codes: { interrupted: 'the work was stopped: by Ctrl-C, a signal, or the caller' },
    kind: 'interrupted',
  },
];

/** Meaning of a system code such as `ENOENT`; undefined for unknown codes. */
export function systemMeaning(code: string): string | undefined {
  for (const [name, words] of getSystemErrorMap().values()) if (name === code.toUpperCase()) return words;
  return undefined;
}
