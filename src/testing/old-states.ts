import { bufferSource } from '../../formats/files/source.ts';
import type { ContainerFormat } from '../../formats/ssm/container.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { convert } from '../saved-state/convert/convert.ts';
import { deriveLayout, type MachineLayout } from '../saved-state/layout/machine-layout.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import { type Original, originalOf } from './salvage-judge.ts';

/** Above what VirtualBox's machines have at their RAM hole. */
const UNMAPPED_START = 0xf400_0000;
const UNMAPPED_STEP = 0x80_0000;

export interface OldState {
  name: string;
  original: Original;
  layout: MachineLayout;
}

/**
 * The same machine as older releases would have saved it. Device memory that the state has not mapped gets some
 * address.
 */
export async function oldState(bytes: Buffer, container: ContainerFormat, pgm: number): Promise<OldState> {
  const { layout } = deriveLayout(await walkState(bufferSource(bytes)));
  for (const [i, range] of layout.mmio2.entries())
    if (Number.isNaN(range.address)) range.address = UNMAPPED_START + i * UNMAPPED_STEP;
  const sink = new MemorySink();
  await convert(bufferSource(bytes), sink, { container, pgm, allowLoss: true, proof: false, layout, flatten: true });
  const names = new Map(layout.mmio2.map(({ name, address }) => [address, name]));
  return { name: `V${container} pgm ${pgm}`, original: originalOf(Buffer.from(sink.view()), names), layout };
}
