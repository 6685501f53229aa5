import type { GimProvider } from '../../../formats/units/cpu/gim.ts';

// Meaning of the paravirtualisation "Default", by the guest type in the settings, as 7.2.22 answers for each of its 196
// types for x86.

const HYPERV = /^Windows(?:Vista|[78]|81|10|11|2008|201\d|202\d)(?:_64)?$/;
const MINIMAL = /^MacOS/;
const KVM = new RegExp(
  '^(?:Linux(?!2[24])|ArchLinux|Debian|Fedora|Gentoo|Mandriva|OpenMandriva|PCLinuxOS|Mageia|Oracle|RedHat|OpenSUSE|' +
    'SUSE|Turbolinux|[LX]?[Uu]buntu|Xandros)',
);

/**
 * @param provider the word in the settings; also `Default`, and `Legacy` of releases before 5.0 @returns undefined for
 * an unknown word
 */
export function effectiveParavirtualisation(guestType: string, provider: string): GimProvider | undefined {
  if (provider === 'Legacy') return MINIMAL.test(guestType) ? 'minimal' : 'none';
  if (provider !== 'Default') return undefined;
  if (HYPERV.test(guestType)) return 'hyperv';
  if (MINIMAL.test(guestType)) return 'minimal';
  return KVM.test(guestType) ? 'kvm' : 'none';
}
