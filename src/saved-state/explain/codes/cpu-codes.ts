import type { CodeRow } from './kinds.ts';

/** Codes for CPUs that cannot take a state. */
export const CPU_CODES: readonly CodeRow[] = [
  [
    'VERR_CPUM_INCOMPATIBLE_CONFIG',
    -1751,
    'cpu-differs',
    'the CPU that the machine is configured with cannot take the state',
  ],
  ['VERR_CPUM_INVALID_CONFIG_VALUE', -1761, 'cpu-differs', "a setting of the machine's CPU is impossible"],
  [
    'VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK',
    -1762,
    'cpu-differs',
    'the guest has more extended CPU state (AVX, AVX-512, …) than this host and machine offer',
  ],
  [
    'VERR_CPUM_INVALID_XSAVE_COMP_MASK',
    -1763,
    'cpu-differs',
    'the set of extended CPU state in the file is impossible: parts that belong together are not all there',
  ],
  [
    'VERR_CPUM_INVALID_XSAVE_HDR',
    -1764,
    'cpu-differs',
    'a CPU holds extended state that the file says it does not have',
  ],
  [
    'VERR_CPUM_INVALID_XCR0',
    -1765,
    'cpu-differs',
    'the register XCR0 of a CPU is 0, or names more extended state than the CPU has; seen where a release or a ' +
      'hypervisor of the host saved it wrongly (7.1.12)',
  ],
  [
    'VERR_CPUM_INVALID_HWVIRT_CONFIG',
    -1767,
    'cpu-differs',
    'nested virtualisation is set up in a way that this host or engine cannot do',
  ],
  [
    'VERR_CPUM_INVALID_HWVIRT_FEAT_COMBO',
    -1768,
    'cpu-differs',
    'features of nested virtualisation are set up that do not go together',
  ],
];
