import { UnsupportedError, UsageError } from '../../../formats/errors.ts';
import { peek } from '../../../formats/files/peeked-source.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { HEAD_SIZE, qemuContainerOf } from '../../../formats/qemu/containers/open.ts';
import { FAMILIES, type StateFamily } from '../reading/families.ts';
import type { StateMemory, StateView } from '../reading/state-view.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';
import { virtualboxView } from './virtualbox-view.ts';

/** Family of a state, by its first bytes; VirtualBox's reader judges all that is not QEMU's. */
export async function familyOf(whole: ByteSource): Promise<{ family: StateFamily; source: ByteSource }> {
  const { head, source } = await peek(whole, HEAD_SIZE);
  return { family: qemuContainerOf(head) ? FAMILIES.qemu : FAMILIES.virtualbox, source };
}

/** Readers of the states of each family. */
const READERS: Record<StateFamily['name'], (source: ByteSource, options: WalkOptions) => Promise<StateView>> = {
  virtualbox: async (source, options) => virtualboxView(await walkState(source, options)),
  // Loaded on demand, since loading takes as long as reading a small state.
  qemu: async (source, options) => (await import('./read-qemu.ts')).readQemuView(source, options),
};

/**
 * Reads a saved state of either family from front to back: units, CPUs, the layout of memory. Pages go to `sink`.
 * @throws FormatError for damage, NotAStateError, UnsupportedError, UsageError for a disk image whose snapshot must be
 * chosen; with `onDamage` only errors that end all reading
 */
export async function readState(whole: ByteSource, options: WalkOptions = {}): Promise<StateView> {
  const { family, source } = await familyOf(whole);
  return READERS[family.name](source, options);
}

/**
 * The whole memory of a state. @throws UnsupportedError if it holds none, UsageError if the memory is in another file
 */
export function expectMemory({ family, memory }: StateView): StateMemory {
  if (!memory)
    throw new UnsupportedError('no-memory', `Cannot read memory: the state has no unit ${family.memoryUnit.name}`);
  if (memory.elsewhere !== undefined) throw new UsageError('ram-elsewhere', `Cannot read memory: ${memory.elsewhere}`);
  return memory;
}
