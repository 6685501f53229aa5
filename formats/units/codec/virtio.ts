import { bool, type Kind, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { FormatError, hex } from '../../errors.ts';
import { fields, fill, fixedText, nested, x8, x16, x32, x64 } from './kinds.ts';

// The last part of the units of virtio devices of 7.x, which is common to all.

/** Marker before the common part. */
export const VIRTIO_MARKER = 0x11335577_99bbddffn;

const marker: Kind<void> = {
  name: `u64 = ${hex(VIRTIO_MARKER)}`,
  size: () => 8,
  read: (c) => {
    const found = c.bigU64();
    if (found !== VIRTIO_MARKER)
      throw new FormatError(
        'bad-marker',
        `Cannot read marker: ${hex(found)}, expected ${hex(VIRTIO_MARKER)}`,
        {},
        'VERR_SSM_DATA_UNIT_FORMAT_CHANGED',
      );
  },
  write: (w) => w.bigU64(VIRTIO_MARKER),
};

const virtqueue = defineStruct('Queue of a virtio device', 'device-units.md', {
  ...fields(x64, ['descriptors', 'available', 'used'], 'guest-physical address'),
  notifyOffset: { kind: u16, doc: '' },
  msixVector: { kind: x16, doc: '' },
  enabled: { kind: u16, doc: '' },
  size: { kind: u16, doc: 'entries' },
  ...fields(u16, ['nextAvailable', 'nextUsed'], 'position in the ring that the device has reached'),
  name: { kind: fixedText(32), doc: '' },
});

/** The common part, to the end of the unit. */
export const virtioDevice = defineStruct('Common part of a virtio device', 'device-units.md', {
  marker: { kind: marker, doc: 'start of the common part' },
  version: { kind: u32, doc: 'version of the device' },
  legacyDriver: { kind: u32, doc: '1: the guest uses the device as before virtio 1.0' },
  generationPending: { kind: bool, doc: 'the configuration has changed' },
  status: { kind: x8, doc: 'set by the guest; bit 2: its driver is ready' },
  generation: { kind: x8, doc: 'count of changes of the configuration' },
  pciWindow: { kind: x8, doc: 'offset of the window in PCI configuration space' },
  isr: { kind: x8, doc: '' },
  queueSelect: { kind: u16, doc: '' },
  ...fields(x32, ['deviceFeaturesSelect', 'driverFeaturesSelect']),
  driverFeatures: { kind: x64, doc: 'chosen by the guest' },
  queues: { kind: fill(nested(virtqueue)), doc: '' },
});
