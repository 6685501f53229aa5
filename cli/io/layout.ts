import { MIB } from '../../formats/sizes.ts';
import { type MachineLayout, parseLayout, settleLayout } from '../../src/saved-state/layout/machine-layout.ts';
import { walkState } from '../../src/saved-state/reading/walk.ts';
import { readSmallText, withInput } from './input.ts';
import { fromOtherFile } from './other-files.ts';

export interface LayoutOptions {
  layout?: string;
  like?: string;
}

/** Maximum size, in bytes, of a layout, which lists a few dozen ranges. */
const LAYOUT_LIMIT = MIB;

/** The layout that the user has given: as a file, or by another state of the same machine. */
export async function layoutFrom({ layout, like }: LayoutOptions): Promise<{ layout?: MachineLayout }> {
  if (layout !== undefined)
    return fromOtherFile(async () => ({ layout: parseLayout(await readSmallText(layout, LAYOUT_LIMIT)) }));
  if (like === undefined) return {};
  return fromOtherFile(() =>
    withInput(like, async (source) => ({
      layout: settleLayout(await walkState(source, { skipCrc: true }), undefined),
    })),
  );
}
