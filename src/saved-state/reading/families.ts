/** A writer of saved states, and what is true of all of its states. */
export interface StateFamily {
  /** As reports and JSON have it. */
  name: 'virtualbox' | 'qemu';
  /** As people know it. */
  title: string;
  /** What its states consist of. */
  unitWord: 'unit' | 'section';
  /** The unit or section that holds memory. */
  memoryUnit: { name: string; instance: number };
}

/** The one table of who writes states. */
export const FAMILIES = {
  virtualbox: {
    name: 'virtualbox',
    title: 'VirtualBox',
    unitWord: 'unit',
    memoryUnit: { name: 'pgm', instance: 1 },
  },
  qemu: {
    name: 'qemu',
    title: 'QEMU',
    unitWord: 'section',
    memoryUnit: { name: 'ram', instance: 0 },
  },
} as const satisfies Record<StateFamily['name'], StateFamily>;
