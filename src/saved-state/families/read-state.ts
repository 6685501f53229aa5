import { UnsupportedError, UsageError } from '../../../formats/errors.ts';
import { peek } from '../../../formats/files/peeked-source.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { HEAD_SIZE, qemuContainerOf } from '../../../formats/qemu/containers/open.ts';
import { FAMILIES, type StateFamily } from '../reading/families.ts';
import type { StateMemory, StateView } from '../reading/state-view.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';
import { virtualboxView } from './virtualbox-view.ts';

/** Who wrote a state, by its first bytes: what is not QEMU's is for VirtualBox's reader to judge. */
export async function familyOf(whole: ByteSource): Promise<{ family: StateFamily; source: ByteSource }> {
  const { head, source } = await peek(whole, HEAD_SIZE);
  return { family: qemuContainerOf(head) ? FAMILIES.qemu : FAMILIES.virtualbox, source };
}

/** How the states of each family are read. */
const READERS: Record<StateFamily['name'], (source: ByteSource, options: WalkOptions) => Promise<StateView>> = {
  virtualbox: async (source, options) => virtualboxView(await walkState(source, options)),
  // Loaded when such a state is read: it takes as long as reading a small one.
  qemu: async (source, options) => (await import('./read-qemu.ts')).readQemuView(source, options),
};

/**
 * Reads a saved state from front to back, whoever wrote it: units, CPUs, where memory lies. Pages go to `sink`.
 * @throws FormatError for damage, NotAStateError, UnsupportedError, UsageError for a disk image whose snapshot is to be
 * chosen; with `onDamage` only what ends all reading
 */
export async function readState(whole: ByteSource, options: WalkOptions = {}): Promise<StateView> {
  const { family, source } = await familyOf(whole);
  return READERS[family.name](source, options);
}

/**
 * The memory of a state, all of it. @throws UnsupportedError where it holds none, UsageError where it lies elsewhere
 */
export function expectMemory({ family, memory }: StateView): StateMemory {
  if (!memory)
    throw new UnsupportedError('no-memory', `Cannot read memory: the state has no unit ${family.memoryUnit.name}`);
  if (memory.elsewhere !== undefined) throw new UsageError('ram-elsewhere', `Cannot read memory: ${memory.elsewhere}`);
  return memory;
}
