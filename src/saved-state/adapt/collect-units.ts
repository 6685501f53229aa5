import { UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { MIB } from '../../../formats/sizes.ts';
import type { UnitHeader } from '../../../formats/ssm/container.ts';
import { unitLabel } from '../../../formats/ssm/container.ts';
import type { SavedState } from '../reading/state.ts';
import { walkState } from '../reading/walk.ts';

/** A unit with its decoded payload. */
export interface CollectedUnit {
  header: UnitHeader;
  payload: Uint8Array;
}

/** A state with the payloads of all units but pgm. */
export interface CollectedState {
  name: string;
  state: SavedState;
  /** By `name/instance`, in file order. */
  units: Map<string, CollectedUnit>;
}

/** Units of devices are far smaller together. */
const MAX_SIZE = 256 * MIB;

/** @throws UnsupportedError for live saves, and for units that are too large together */
export async function collectUnits(source: ByteSource, signal?: AbortSignal): Promise<CollectedState> {
  const state = await walkState(source, { skipCrc: true, ...(signal ? { signal } : {}) });
  if (state.units.some(({ pass }) => pass !== 'final'))
    throw new UnsupportedError(
      'live-save',
      `Cannot adapt ${source.name}: it is a live save; make a plain state of it first (savkit convert --flatten)`,
    );
  const units = new Map<string, CollectedUnit>();
  const pieces: Uint8Array[] = [];
  let current: UnitHeader | undefined;
  let total = 0;
  const close = () => {
    if (current) units.set(unitLabel(current), { header: current, payload: new Uint8Array(Buffer.concat(pieces)) });
    pieces.length = 0;
  };
  const payload = {
    wants: (unit: UnitHeader) => {
      close();
      current = isPgm(unit) ? undefined : unit;
      return current !== undefined;
    },
    take: (piece: Uint8Array) => {
      total += piece.length;
      if (total > MAX_SIZE)
        throw new UnsupportedError('too-long', `Cannot adapt ${source.name}: its units are too large`);
      pieces.push(piece.slice());
    },
  };
  await walkState(source, { skipCrc: true, opaque: true, payload, ...(signal ? { signal } : {}) });
  close();
  return { name: source.name, state, units };
}
