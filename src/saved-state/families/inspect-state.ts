import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { imageToChooseFrom } from '../../../formats/qemu/containers/open.ts';
import { describeState, type StateDescription } from '../describe/describe.ts';
import { describeUnitContents, type UnitContents } from '../describe/describe-unit.ts';
import { inspect } from '../describe/inspect.ts';
import {
  type DiskImageDescription,
  describeImage,
  describeQemu,
  type QemuStateDescription,
} from '../qemu/describe-qemu.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import type { StateFamily } from '../reading/families.ts';
import { type Finding, Findings } from '../reading/findings.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { familyOf } from './read-state.ts';

/** Options of an inspection. */
export interface InspectOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** Name of a unit or section whose fields are wanted. */
  unit?: string;
}

/** Description of a state of one family. */
export interface FamilyInspection<Name, Description> {
  /** Tells the kind of the description. */
  family: Name;
  /** Plain data, for JSON and for tables. */
  description: Description;
  /** Damage after which the reading went on. */
  findings: Finding[];
}

/**
 * Description of a state in the form of its family. `unit`: the fields of one unit of VirtualBox; `image`: the
 * snapshots of a disk image that holds several machines or none, where no machine was chosen.
 */
export type StateInspection =
  | FamilyInspection<'virtualbox', StateDescription>
  | FamilyInspection<'unit', UnitContents>
  | FamilyInspection<'qemu', QemuStateDescription>
  | FamilyInspection<'image', DiskImageDescription>;

const INSPECTORS: Record<
  StateFamily['name'],
  (source: ByteSource, options: InspectOptions) => Promise<StateInspection>
> = {
  virtualbox: async (source, { unit, ...options }) => {
    if (unit !== undefined) {
      if (!source.seekable)
        throw new UsageError(
          'not-seekable',
          `Cannot show fields of ${source.name}: it is read twice, so it must be a file`,
        );
      return { family: 'unit', description: await describeUnitContents(source, unit, options.signal), findings: [] };
    }
    const { state, findings } = await inspect(source, options);
    return { family: 'virtualbox', description: describeState(state), findings };
  },
  qemu: async (source, { unit, ...options }) => {
    const image = await imageOf(source);
    if (image) return { family: 'image', description: image, findings: [] };
    const findings = new Findings();
    const state = await readQemuState(source, { ...options, onDamage: (error) => findings.addError(error) });
    return { family: 'qemu', description: describeQemu(state, unit), findings: findings.list };
  },
};

/**
 * Describes a state of VirtualBox or QEMU. Goes on after damage where the format allows it.
 * @throws SavkitError when not even the head makes sense, UsageError for a unit that is not there, or of a source that
 * can't seek
 */
export async function inspectState(whole: ByteSource, options: InspectOptions = {}): Promise<StateInspection> {
  const { family, source } = await familyOf(whole);
  return INSPECTORS[family.name](source, options);
}

/** List of a disk image's snapshots, if none was named and the image does not hold exactly one. */
async function imageOf(source: ByteSource): Promise<DiskImageDescription | undefined> {
  const image = await imageToChooseFrom(source);
  return image && { family: 'image', ...describeImage(image) };
}
