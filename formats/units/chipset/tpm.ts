import { u8 } from '../../binary/kinds.ts';
import { SEPARATOR_SIZE, separator } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { nested, oneOf, opaque, x16, x64 } from '../codec/kinds.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';

/** Versions of TPMs by number, as people call them. */
const TPM_VERSIONS: Record<number, string> = { 1: '1.2', 2: '2.0' };

const head = defineStruct('Start of unit tpm, version 1', 'units-compared.md', {
  address: { kind: x64, doc: 'guest-physical address of the registers' },
  vendor: { kind: x16, doc: '' },
  device: { kind: x16, doc: '' },
  revision: { kind: u8, doc: '' },
  interrupt: { kind: u8, doc: '' },
  locality: { kind: u8, doc: '' },
  version: { kind: oneOf(u8, TPM_VERSIONS), doc: 'version of the TPM: 1 is 1.2, 2 is 2.0' },
});

const tpm = defineStruct('Unit tpm, version 1', 'units-compared.md', {
  head: { kind: nested(head), doc: 'the configuration, which loaders compare' },
  rest: { kind: opaque(SEPARATOR_SIZE), doc: 'localities, and the command or answer under way' },
  separator,
});

export function tpmConfig(version: string): DeviceConfig {
  return { version };
}

export const tpmRow = comparedRow(
  'tpm',
  versions(1),
  (cursor) => {
    const { version } = head.read(cursor);
    return tpmConfig(TPM_VERSIONS[version] ?? String(version));
  },
  codecOf(tpm),
);
