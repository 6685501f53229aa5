import type { Cursor } from '../../binary/cursor.ts';
import { text } from '../../binary/kinds.ts';
import { tooMany } from '../../errors.ts';
import { type UnitRow, whole } from '../codec/unit-row.ts';
import { buildInfoCodec } from './codecs.ts';

/**
 * Unit "SSM", instance 0, version 1: pairs of name and value, ended by a pair of empty strings. Source: SSM.cpp,
 * ssmR3SelfSaveExec.
 */
export const BUILD_INFO_UNIT = { name: 'SSM', instance: 0, versions: [1] } as const;

const name = text(128);
const value = text(1024);
/** Maximum number of pairs of the unit; VirtualBox writes three. */
const MAX_PAIRS = 256;

/** Facts about the build that wrote the state, e.g. `Build Type: release`, `Host OS: linux.amd64`. */
export function readBuildInfo(cursor: Cursor): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let i = 0; ; i++) {
    if (i === MAX_PAIRS) throw tooMany('pairs of unit SSM', MAX_PAIRS);
    const key = name.read(cursor);
    const content = value.read(cursor);
    if (key === '' && content === '') break;
    Object.defineProperty(pairs, key, { value: content, enumerable: true, configurable: true });
  }
  return pairs;
}

/** Every pass has the same content. */
export const buildInfoRow: UnitRow = {
  unit: BUILD_INFO_UNIT.name,
  instance: BUILD_INFO_UNIT.instance,
  everyPass: true,
  codec: buildInfoCodec,
  facts: whole((cursor) => ({ buildInfo: readBuildInfo(cursor) })),
  livePass: (payload) => payload,
};
