import type { GimProvider } from '../../../formats/units/cpu/gim.ts';

// Which paravirtualisation "Default" is, by the type of guest that the settings name. Asked of 7.2.22 for each of its
// 196 types for x86.

const HYPERV = /^Windows(?:Vista|[78]|81|10|11|2008|201\d|202\d)(?:_64)?$/;
const MINIMAL = /^MacOS/;
const KVM = new RegExp(
  '^(?:Linux(?!2[24])|ArchLinux|Debian|Fedora|Gentoo|Mandriva|OpenMandriva|PCLinuxOS|Mageia|Oracle|RedHat|OpenSUSE|' +
    'SUSE|Turbolinux|[LX]?[Uu]buntu|Xandros)',
);

/**
 * @param provider as settings call it: `Default`, or `Legacy`, which releases before 5.0 did @returns undefined for
 * another word
 */
export function effectiveParavirtualisation(guestType: string, provider: string): GimProvider | undefined {
  if (provider === 'Legacy') return MINIMAL.test(guestType) ? 'minimal' : 'none';
  if (provider !== 'Default') return undefined;
  if (HYPERV.test(guestType)) return 'hyperv';
  if (MINIMAL.test(guestType)) return 'minimal';
  return KVM.test(guestType) ? 'kvm' : 'none';
}
