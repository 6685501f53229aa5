import type { HostPaging } from '../shadow-mode.ts';

/** Hosts and ways to shadow on them: all formats of shadow tables. */
export const SHADOWED_HOSTS: readonly (readonly [string, HostPaging])[] = [
  ['AMD64 host, raw', { host: 'AMD64+NX', hardware: false }],
  ['AMD64 host, hardware', { host: 'AMD64+NX', hardware: true }],
  ['PAE host, hardware', { host: 'PAE', hardware: true }],
  ['32-bit host, hardware', { host: '32-bit', hardware: true }],
  ['AMD-V nested paging', { host: 'AMD64', hardware: true, nestedPaging: 'nested' }],
  ['nested paging on a PAE host', { host: 'PAE', hardware: true, nestedPaging: 'nested' }],
  ['nested paging on a 32-bit host', { host: '32-bit', hardware: true, nestedPaging: 'nested' }],
  ['VT-x with EPT', { host: 'AMD64', hardware: true, nestedPaging: 'ept' }],
];
