import type { ReadableSink } from '../../../formats/files/sink.ts';
import { type ByteSource, withBeside } from '../../../formats/files/source.ts';
import type { QemuRamLayout } from '../../../formats/qemu/guest-layout.ts';
import { compareFields, compareMemory, compareUnits, type Proof } from '../convert/proof.ts';
import { fingerprint, sameIds } from '../hashing/fingerprint.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import type { WalkOptions } from '../reading/walk.ts';

/** Reads the result of a conversion back, and compares it with the source: memory, sections, blocks, machine type. */
export async function proveQemu(
  source: ByteSource,
  sink: ReadableSink,
  { ramSink, layout }: { ramSink?: ReadableSink; layout?: QemuRamLayout },
  { onProgress, signal }: Pick<WalkOptions, 'onProgress' | 'signal'>,
): Promise<Proof> {
  const state = await sink.readBack();
  const ram = await ramSink?.readBack();
  try {
    const written = withBeside(state, { ram: ram && [{ source: ram }] });
    // An unfinished image of libvirt was accepted, or refused, before.
    const reading = (from: ByteSource, options: WalkOptions) =>
      readQemuState(from, { ...options, layout, unfinished: from === source });
    const common = { naming: sameIds, of: 'content' as const, signal };
    const own = await fingerprint(reading, source, { ...common, onProgress });
    const other = await fingerprint(reading, written, { ...common, like: own.memory });
    const differences = [
      ...compareMemory(own.memory, other.memory),
      ...compareUnits(own.units, other.units),
      // Bytes after the end of the source are left out.
      ...compareFields(fieldsOf({ ...own.state, trailing: 0 }), fieldsOf(other.state)),
    ];
    return { equal: differences.length === 0, ranges: own.memory.size, units: other.units.size, differences };
  } finally {
    await ram?.close();
    await state.close();
  }
}

function fieldsOf({ configuration, blocks, runState, ended, trailing }: QemuState): Map<string, string> {
  return new Map([
    ['machine type', configuration.machine ?? 'none'],
    ['UUID', configuration.uuid ?? 'none'],
    ['size of pages', String(configuration.pageBits)],
    ['run state', runState ?? 'none'],
    ['RAM blocks', blocks.map(({ name, size, pages }) => `${name} ${size} ${pages}`).join(', ')],
    ['end', String(ended)],
    ['size of the rest', String(trailing)],
  ]);
}
