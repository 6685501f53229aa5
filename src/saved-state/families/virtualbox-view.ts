import { pagingOptionsOf } from '../../paging/address-space.ts';
import { releaseText } from '../describe/describe.ts';
import { fieldsOf } from '../describe/fields.ts';
import { memoryMap } from '../layout/memory-map.ts';
import { mmio2Ranges, romRanges } from '../layout/named-ranges.ts';
import { namesOf } from '../layout/range-names.ts';
import { FAMILIES } from '../reading/families.ts';
import { registersNote } from '../reading/registers-note.ts';
import type { SavedState } from '../reading/state.ts';
import type { StateCpus, StateMemory, StateView } from '../reading/state-view.ts';

/** View of a state of VirtualBox for commands on states of any family. */
export function virtualboxView(state: SavedState): StateView {
  const { header, size, units } = state;
  const memory = memoryOf(state);
  const release = header.release && releaseText(header.release);
  return {
    family: FAMILIES.virtualbox,
    title: `V${header.format}${release === undefined ? '' : ` by VirtualBox ${release}`}`,
    format: header.format,
    release,
    size,
    live: header.live,
    units,
    unitsHavePlaces: true,
    cpus: cpusOf(state),
    memory,
    fields: () => fieldsOf(state),
    vboxCore: { apicBases: state.apicBases, release: header.release },
  };
}

function cpusOf(state: SavedState): StateCpus {
  const missing = registersNote(state);
  return {
    registers: state.cpum?.cpus ?? [],
    ...(state.cpum && pagingOptionsOf(state.cpum)),
    a20: state.pgm?.basic?.cpus.map(({ a20Enabled }) => a20Enabled) ?? [],
    missing,
  };
}

function memoryOf(state: SavedState): StateMemory | undefined {
  const { pgm } = state;
  if (!pgm) return undefined;
  return {
    regions: memoryMap(state),
    roms: romRanges(state),
    mmio2: mmio2Ranges(state),
    romProtection: pgm.romProtection,
    names: namesOf(state),
  };
}
