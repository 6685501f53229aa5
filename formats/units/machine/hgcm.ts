import { Cursor } from '../../binary/cursor.ts';
import { text } from '../../binary/kinds.ts';
import { MIB } from '../../sizes.ts';
import { collected, lenient, telling, type UnitRow, versions } from '../codec/unit-row.ts';
import { hgcmCodec } from './codecs.ts';

const name = text(256);
const MAX_SERVICES = 64;

/** Names of services, up to the first one with clients, whose layout depends on the service. */
export function readHgcmServices(cursor: Cursor): string[] {
  const names: string[] = [];
  cursor.u32();
  const count = Math.min(cursor.u32(), MAX_SERVICES);
  for (let i = 0; i < count; i++) {
    // The size of the loader's buffer for the name comes first.
    cursor.u32();
    names.push(name.read(cursor));
    if (cursor.u32() > 0) break;
  }
  return names;
}

/** Maximum size, in bytes, of the unit, since the contents of a clipboard can be large. */
const HGCM_LIMIT = 64 * MIB;

/** Connections to the services up to the first one with clients. */
const connectionsOf = telling(hgcmCodec, ({ services }) => ({
  connections: services.reduce((sum, { clients }) => sum + clients, 0),
}));

/** Services of the host that the guest additions use, and their clients. Versions 2 and 3. */
export const hgcmRow: UnitRow = {
  unit: 'HGCM',
  instance: 0,
  versions: versions(2, 3),
  facts: lenient(
    collected(HGCM_LIMIT, (payload, unit) => ({
      hostServices: readHgcmServices(new Cursor(payload)),
      ...connectionsOf(payload, unit),
    })),
  ),
  codec: hgcmCodec,
};
