/** Reasons why a state cannot go on in QEMU, by code. */
export const REFUSAL_CODES = {
  'busy-disk': 'a transfer of a disk controller is under way',
  'busy-floppy': 'a command of the floppy controller is under way',
  coalescing: 'the guest uses interrupt coalescing of its AHCI controller, which QEMU does not',
  chipset: 'the machine has a chipset that cannot be woken',
  device: 'a device has no counterpart in QEMU that its state can be put into',
  disks: 'a controller of disks has no counterpart in QEMU that its state can be put into',
  efi: 'the machine has EFI firmware, whose state is not known',
  'extended-state': 'a CPU uses extended state that cannot be taken over',
  hpet: 'the HPET of the machine ticks at another rate than that of QEMU',
  'hyper-v': 'the guest uses the Hyper-V interface, whose state is not known',
  'kvm-calls': 'the guest calls KVM, which QEMU cannot answer without it',
  nested: 'a CPU runs virtual machines itself',
  'network-card': 'QEMU has no network card of this kind',
  'no-disk': 'a disk of the machine was not given, and the guest would lose it',
  'no-such-drive': 'a file was given for a drive that the machine does not have',
  'pending-trap': 'an interrupt is being delivered to a CPU',
  place: 'a device is not where it is known to be',
  port: 'a drive is at a port that the controller of QEMU lacks',
  'ram-hole': 'the hole below 4 GiB is of a size that QEMU cannot have',
  svga: "the guest draws through VMSVGA, which QEMU's VGA lacks",
  'unit-missing': 'the state lacks a unit that is needed',
  x2apic: 'the guest uses its local APICs in x2APIC mode',
} as const satisfies Record<string, string>;

/** Losses of a guest, and changes that it notices, when it goes on in QEMU, by code. */
export const NOTICE_CODES = {
  additions: 'guest additions find no device to talk to',
  dropped: 'a device was left out with --without, and its driver finds nothing there',
  gpe: 'events of ACPI beyond the fixed ones are lost',
  'no-acpi': 'the guest has not switched ACPI on, and cannot in QEMU',
  'no-hpet': 'the machine has a HPET that the guest has not switched on, and QEMU has none',
  'kvm-clock': "the guest's clock of KVM is not updated any more",
  medium: 'a drive is empty',
  'no-phy': 'the network card of QEMU has no PHY that tells of the link',
  'no-way-back': 'the machine cannot come back to VirtualBox: it has an image with which QEMU does not save',
  'no-interrupts': 'the guest gets no interrupts of a PCI device',
  'ram-gap': 'RAM below the hole at 4 GiB that the board of QEMU has no room for is memory of PCI devices',
  tsc: 'the time stamp counter runs at another speed',
  'twin-lines': 'interrupts of PCI devices arrive only as long as the guest does not set them up anew',
} as const satisfies Record<string, string>;

/** Code of a reason why a state cannot go on in QEMU; `savkit explain CODE` tells more. */
export type RefusalCode = keyof typeof REFUSAL_CODES;
/** Code of a loss, or of a change that the guest notices, when it goes on in QEMU; `savkit explain CODE` tells more. */
export type NoticeCode = keyof typeof NOTICE_CODES;
