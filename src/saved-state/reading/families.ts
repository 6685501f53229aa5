/** A family of saved states: facts that hold for all states of one writer. */
export interface StateFamily {
  /** Name in reports and JSON. */
  name: 'virtualbox' | 'qemu';
  /** Name for people. */
  title: string;
  /** Word for the parts of its states. */
  unitWord: 'unit' | 'section';
  /** The unit or section that holds memory. */
  memoryUnit: { name: string; instance: number };
}

/** The one table of families. */
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
