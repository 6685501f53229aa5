/** Every condition that a shadow table can break, with the message for it. */
export const CONDITIONS = {
  'root-address': 'the root that the CPU walks is not the one in CR3',
  'root-table': 'the shadow root is no locked table of the right kind for CR3',
  'upper-guest-absent': "the guest's entry is not present",
  'upper-key': "the table is not that of the guest's entry",
  'upper-flags': "RW, US or NX differ from the guest's entry",
  'pde-mapping': 'the entry of a mapping is wrong: none is there, or it names another table',
  'pde-table': 'the entry names no table of the pool',
  'pde-cache-bits': 'PWT or PCD is set',
  'pde-page-bits': 'G or D is set',
  'pde-guest-absent': "the guest's entry is not present",
  'pde-reserved': "the guest's entry has a reserved bit set",
  'pde-kind': "the table is of the wrong kind for the guest's entry",
  'pde-address': "the guest's entry leads to no memory",
  'pde-key': "the table is not that of the guest's entry",
  'table-flags': "P, US or RW differ from the guest's entry",
  'table-tracked': 'an entry for a table is tracked as clean',
  'pte-tracked-absent': 'an absent entry is tracked as clean',
  'pte-guest-absent': "the guest's entry is not present",
  'pte-unknown-writable': 'a page outside of all ranges is writable',
  'pte-host': 'the entry maps another page of the host',
  'pte-handlers': 'handlers of the page are bypassed',
  'pte-clean': 'a clean page is writable, not tracked or dirty',
  'pte-tracked': 'a page that is not clean is tracked',
  'pte-flags': "the flags are not those of the guest's entry",
  'large-clean': 'a clean large page is writable or not tracked',
  'large-tracked': 'a large page that is not clean is tracked',
  'large-flags': "the flags are not those of the guest's entry",
  'large-pte-tracked': 'a page of a large page is tracked on its own',
  'large-pte-host': 'a page of a large page maps another page of the host',
  'large-pte-handlers': 'handlers of a page of a large page are bypassed',
  'large-pte-flags': "the flags of a page of a large page are not those of the guest's entry",
} as const;
/** A condition that must hold between the guest's tables and their shadows. */
export type Condition = keyof typeof CONDITIONS;

/** A condition that does not hold. */
export interface Breach {
  /** The condition that does not hold. */
  condition: Condition;
  /** Virtual address that the entry covers. */
  linear: number;
  /** One line for people. */
  message: string;
}
