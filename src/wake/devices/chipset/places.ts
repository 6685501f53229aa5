/** Places of the chips on VirtualBox's bus, by chipset: 8 × device + function. */
export const PIIX3_PLACES = { HOST_BRIDGE: 0x00, ISA_BRIDGE: 0x08, IDE: 0x09, GRAPHICS: 0x10, POWER: 0x38 } as const;
export const ICH9_PLACES = { HOST_BRIDGE: 0x00, ISA_BRIDGE: 0xf8, IDE: 0xf9, GRAPHICS: 0x10, POWER: 0x38 } as const;
