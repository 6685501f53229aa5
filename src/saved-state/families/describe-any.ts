import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { imageToChooseFrom } from '../../../formats/qemu/open.ts';
import { describeState, type StateDescription } from '../describe/describe.ts';
import { describeUnitContents, type UnitContents } from '../describe/describe-unit.ts';
import { inspect } from '../describe/inspect.ts';
import { describeImage, describeQemu, type ImageDescription, type QemuDescription } from '../qemu/describe-qemu.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import type { Family } from '../reading/families.ts';
import { type Finding, Findings } from '../reading/findings.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { familyOf } from './read-state.ts';

export interface DescribeOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** Name of a unit or section whose fields are wanted. */
  unit?: string;
}

/** What a state says of itself, in the form of its family. */
export type Described =
  | { family: 'virtualbox'; description: StateDescription; findings: Finding[] }
  | { family: 'unit'; description: UnitContents; findings: Finding[] }
  | { family: 'qemu'; description: QemuDescription; findings: Finding[] }
  | { family: 'image'; description: ImageDescription; findings: Finding[] };

const DESCRIBERS: Record<Family['name'], (source: ByteSource, options: DescribeOptions) => Promise<Described>> = {
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
 * Reads all that a state says of itself. Goes on after damage where the format allows it.
 * @throws SavkitError when not even the head makes sense
 */
export async function describeAny(whole: ByteSource, options: DescribeOptions = {}): Promise<Described> {
  const { family, source } = await familyOf(whole);
  return DESCRIBERS[family.name](source, options);
}

/** A disk image whose snapshots are several, or none, while none was named: its list is what can be told. */
async function imageOf(source: ByteSource): Promise<ImageDescription | undefined> {
  const image = await imageToChooseFrom(source);
  return image && { family: 'image', ...describeImage(image) };
}
