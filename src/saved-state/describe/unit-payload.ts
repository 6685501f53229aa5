import { Writer } from '../../../formats/binary/writer.ts';
import { UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { type UnitHeader, unitLabel } from '../../../formats/ssm/container.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';

/** Largest payload that is decoded; units of devices are smaller. */
const LIMIT = 256 * MIB;

/**
 * The decoded payload of one unit of a state that was read before; its pages go to `sink`, if that is given.
 * @throws UnsupportedError `too-long`
 */
export async function payloadOf(
  source: ByteSource,
  unit: UnitHeader,
  options: Pick<WalkOptions, 'onProgress' | 'signal' | 'sink'> = {},
): Promise<Uint8Array> {
  const copy = new Writer();
  const payload = {
    wants: ({ offset }: UnitHeader) => offset === unit.offset,
    take: (piece: Uint8Array) => {
      if (copy.length + piece.length > LIMIT)
        throw new UnsupportedError('too-long', `Cannot decode unit ${unitLabel(unit)}: it is too large`);
      copy.bytes(piece);
    },
  };
  await walkState(source, { ...options, skipCrc: true, opaque: options.sink === undefined, payload });
  return copy.view().slice();
}
