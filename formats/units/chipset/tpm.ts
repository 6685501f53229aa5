import { bytes, u8 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';

/** By number; as people call them. */
const TPM_VERSIONS: Record<number, string> = { 1: '1.2', 2: '2.0' };

const head = defineStruct('Start of unit tpm, version 1', 'units-compared.md', {
  fixed: { kind: bytes(15), doc: 'address, vendor, device, revision, interrupt, locality: the same in every machine' },
  version: { kind: u8, doc: '1 TPM 1.2, 2 TPM 2.0' },
});

export function tpmConfig(version: string): DeviceConfig {
  return { version };
}

export const tpmRow = comparedRow('tpm', versions(1), (cursor) => {
  const { version } = head.read(cursor);
  return tpmConfig(TPM_VERSIONS[version] ?? String(version));
});
