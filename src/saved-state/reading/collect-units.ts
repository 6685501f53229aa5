import { Writer } from '../../../formats/binary/writer.ts';
import { UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { MIB } from '../../../formats/sizes.ts';
import type { UnitHeader } from '../../../formats/ssm/container.ts';
import { unitLabel } from '../../../formats/ssm/container.ts';
import type { SavedState } from './state.ts';
import { type WalkOptions, walkState } from './walk.ts';

/** A unit with its decoded payload. */
export interface CollectedUnit {
  header: UnitHeader;
  payload: Uint8Array;
}

/** A state with the payloads of all units but pgm, from the final pass. */
export interface CollectedState {
  name: string;
  state: SavedState;
  /** Units by `name/instance`, in file order. */
  units: Map<string, CollectedUnit>;
}

/** Limit for all units together, which are far smaller. */
const MAX_SIZE = 256 * MIB;

/**
 * Reads a state twice: all of it, then the payloads of the final pass.
 * @param walk by default CRCs of the file are not checked
 * @throws UnsupportedError if the units are too large together
 */
export async function collectUnits(
  source: ByteSource,
  walk: Pick<WalkOptions, 'signal' | 'skipCrc' | 'onProgress'> = {},
): Promise<CollectedState> {
  const { onProgress: _, ...again } = walk;
  const state = await walkState(source, { skipCrc: true, ...walk });
  const units = await collectPayloads(source, again);
  return { name: source.name, state, units };
}

/**
 * The payloads of the final pass except pgm, by `name/instance`.
 * @throws UnsupportedError if they are too large together
 */
async function collectPayloads(
  source: ByteSource,
  walk: Pick<WalkOptions, 'signal'> = {},
): Promise<Map<string, CollectedUnit>> {
  const units = new Map<string, CollectedUnit>();
  let copy = new Writer();
  let current: UnitHeader | undefined;
  let total = 0;
  const close = () => {
    if (current) units.set(unitLabel(current), { header: current, payload: copy.view().slice() });
    copy = new Writer();
  };
  const payload = {
    wants: (unit: UnitHeader) => {
      close();
      current = isPgm(unit) || unit.pass !== 'final' ? undefined : unit;
      return current !== undefined;
    },
    take: (piece: Uint8Array) => {
      total += piece.length;
      if (total > MAX_SIZE)
        throw new UnsupportedError('too-long', `Cannot take ${source.name}: its units are too large`);
      copy.bytes(piece);
    },
  };
  await walkState(source, { ...walk, skipCrc: true, opaque: true, payload });
  close();
  return units;
}
