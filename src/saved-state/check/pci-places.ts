import { entryOf } from '../../../formats/entry-of.ts';
import { isNetworkCard, NETWORK_CARD_PLACES, SERVER_CARD } from '../../../formats/units/chipset/pci-ids.ts';
import type { Chipset } from '../machine-facts/machine-facts.ts';
import { BRIDGE } from '../machine-facts/pci-bridges.ts';

/** Places on the first PCI bus, 8 × device + function, as in machines of 7.2.22 (units-compared.md). */
type Places = Record<Chipset, number>;
const both = (place: number): Places => ({ piix3: place, ich9: place });

const PLACES: Readonly<Record<string, Places>> = {
  'iommu-amd': both(0x00),
  'iommu-intel': both(0x08),
  lpc: both(0xf8),
  piix3ide: { piix3: 0x09, ich9: 0xf9 },
  vga: both(0x10),
  VMMDev: both(0x20),
  hda: both(0x28),
  ichac97: both(0x28),
  'usb-ohci': { piix3: 0x30, ich9: 0xfc },
  acpi: both(0x38),
  'usb-ehci': { piix3: 0x58, ich9: 0xfd },
  'usb-xhci': both(0x60),
  ahci: { piix3: 0x68, ich9: 0xfa },
  nvme: both(0x70),
  'virtio-scsi': both(0x78),
  lsilogicscsi: both(0xa0),
  buslogic: both(0xa8),
  lsilogicsas: both(0xb0),
};
/** Device that has another place on boards with an IOMMU (of Intel or AMD). */
const AWAY_FROM_IOMMU = { device: 'lsilogicscsi', place: 0xb8 } as const;
/** A card for the ISA bus. */
const ISA_CARD = 'Am79C960';

/** Properties of a board on which places depend. */
export interface Board {
  chipset: Chipset;
  hasIommu: boolean;
}

/**
 * Place of a device; undefined if it is on another bus, or unknown.
 * @param nth number among devices of its kind, from 0; for network cards their slot in the settings
 * @param model name of the model in settings
 */
export function pciPlace(board: Board, device: string, nth: number, model?: unknown): number | undefined {
  if (isNetworkCard(device)) {
    if (model === ISA_CARD) return undefined;
    return model === SERVER_CARD.model && nth === 0 ? SERVER_CARD.place : NETWORK_CARD_PLACES[nth];
  }
  if (nth > 0) return undefined;
  return board.hasIommu && device === AWAY_FROM_IOMMU.device
    ? AWAY_FROM_IOMMU.place
    : entryOf(PLACES, device)?.[board.chipset];
}

/** Whether a device is on the PCI bus. */
export function isOnPci(device: string): boolean {
  return device in PLACES || device === BRIDGE || isNetworkCard(device);
}
