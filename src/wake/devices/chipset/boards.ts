import type { MachineUnits } from '../../units/machine-units.ts';
import type { QemuBoard } from './board.ts';
import { I440FX } from './i440fx.ts';
import { Q35 } from './q35.ts';

/** The board that a machine of VirtualBox gets. */
export function boardOf(units: MachineUnits): QemuBoard {
  return units.has('ich9pci/0') ? Q35 : I440FX;
}
