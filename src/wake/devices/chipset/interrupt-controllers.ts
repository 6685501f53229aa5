import { type Correspondence, same, sameEach, sameList } from '../../template/correspondence.ts';

/** One of the two 8259s: a part of unit i8259, `master` or `slave`. */
export const pic: readonly Correspondence[] = sameEach('', '', [
  ['last_irr', 'lastIrr'],
  ['irr', 'irr'],
  ['imr', 'imr'],
  ['isr', 'isr'],
  ['priority_add', 'priorityAdd'],
  ['irq_base', 'irqBase'],
  ['read_reg_select', 'readRegister'],
  ['poll', 'poll'],
  ['special_mask', 'specialMask'],
  ['init_state', 'initState'],
  ['auto_eoi', 'autoEoi'],
  ['rotate_on_auto_eoi', 'rotateOnAutoEoi'],
  ['special_fully_nested_mode', 'specialFullyNested'],
  ['init4', 'init4'],
  ['elcr', 'elcr'],
]);

/** Lines of an I/O APIC. */
export const IO_APIC_LINES = 24;

/** Unit ioapic. */
export const ioApic: readonly Correspondence[] = [
  same('id', 'id'),
  same('ioregsel', 'index'),
  same('irr', 'irr'),
  ...sameList('ioredtbl', 'redirections', IO_APIC_LINES),
];
