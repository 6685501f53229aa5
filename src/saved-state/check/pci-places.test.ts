import { describe, expect, it } from 'vitest';
import { pciPlace } from './pci-places.ts';

// As the states of machines of 7.2.22 have them, npm run campaign -- virtualbox-pairs families iommulsi iommuamdlsi
// macos.
describe('pciPlace()', () => {
  const ich9 = { chipset: 'ich9', hasIommu: false } as const;
  const withIommu = { ...ich9, hasIommu: true };

  it('gives way to an IOMMU', () => {
    expect([ich9, withIommu].map((board) => pciPlace(board, 'lsilogicscsi', 0))).toEqual([0xa0, 0xb8]);
    expect([ich9, withIommu].map((board) => pciPlace(board, 'lsilogicsas', 0))).toEqual([0xb0, 0xb0]);
  });

  it('knows the first of each kind, and network cards by their slot', () => {
    expect(pciPlace(ich9, 'ahci', 1)).toBeUndefined();
    expect(pciPlace(ich9, 'e1000', 7, '82540EM')).toBe(0x98);
    expect(pciPlace(ich9, 'pcnet', 0, 'Am79C960')).toBeUndefined();
    expect(pciPlace(ich9, 'e1000', 0, '82545EM')).toBe(0x88);
  });
});
