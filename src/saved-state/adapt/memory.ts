import type { ByteSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import type { PgmBasic, PgmConfig } from '../../../formats/pgm/head.ts';
import type { Mmio2Entry } from '../../../formats/pgm/layouts.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { KnownRanges } from '../../../formats/pgm/ranges.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { walkState } from '../reading/walk.ts';
import { type Merge, refused } from './merge.ts';

/** Changes to the memory unit. */
export interface MemoryPlan {
  basic: PgmBasic;
  config: PgmConfig;
  /** Whether the record of a page goes into the result. */
  keeps(kind: number, id: number, page: number): boolean;
}

/** Plans the memory unit of the result; undefined if the unit needs no change. */
export async function planMemory(
  merge: Merge,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<MemoryPlan | undefined> {
  const own = merge.own.state.pgm;
  const donor = merge.donor.state.pgm;
  if (!own?.config || !own.basic || !donor?.config || !donor.basic)
    throw refused(
      'the list of memory ranges could not be read: states of releases before 3.1 have to be converted first',
    );
  const config: PgmConfig = { ...own.config, ...mergeLists(merge, own.config, donor.config) };
  const ramSize = donor.ramSize;
  const isResized = own.ramSize !== ramSize || (own.config.ramHole ?? 0) !== (donor.config.ramHole ?? 0);
  if (isResized) Object.assign(config, { ramSize, ramHole: donor.config.ramHole });
  const cpus = [...own.basic.cpus.slice(0, donor.basic.cpus.length), ...donor.basic.cpus.slice(own.basic.cpus.length)];
  const isSame = JSON.stringify(config) === JSON.stringify(own.config) && cpus.length === own.basic.cpus.length;
  if (isSame) return undefined;
  const known = new KnownRanges();
  known.describe(config, ramSize);
  const plan: MemoryPlan = {
    basic: { ...own.basic, cpus },
    config,
    keeps: (kind, id, page) => {
      if (isRam(kind)) return known.isRamFrame(page);
      return page < (isMmio2(kind) ? known.mmio2Pages[id] : known.romPages[id]);
    },
  };
  if (isResized) await noteRam(merge, source, plan, own.ramSize ?? 0, ramSize ?? 0, signal);
  return plan;
}

/** Drops ranges that the machine lacks, with their pages; cuts larger ones, and fills smaller ones up with zeros. */
function mergeLists(merge: Merge, own: PgmConfig, donor: PgmConfig): Pick<PgmConfig, 'roms' | 'mmio2'> {
  const roms = own.roms.filter(({ description }) => {
    const isThere = donor.roms.some((rom) => rom.description === description);
    if (!isThere)
      merge.note(
        'seen',
        'pgm/1',
        `ROM "${description}" is not in the machine: the guest finds the machine's own in its place`,
      );
    return isThere;
  });
  const key = ({ device, instance, region }: Mmio2Entry) => `${device}/${instance}/${region}`;
  const there = new Map(donor.mmio2.map((range) => [key(range), range]));
  const mmio2 = own.mmio2.flatMap((range) => {
    const other = merge.replaced.has(`${range.device}/${range.instance}`) ? undefined : there.get(key(range));
    if (!other) {
      merge.note(
        'seen',
        'pgm/1',
        `device memory "${range.description}" (${key(range)}) is not in the machine: it is dropped`,
      );
      return [];
    }
    return [{ ...range, size: other.size }];
  });
  return { roms, mmio2 };
}

async function noteRam(
  merge: Merge,
  source: ByteSource,
  plan: MemoryPlan,
  before: number,
  after: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const change = `RAM: ${before / MIB} MiB become ${after / MIB}`;
  const used = await countLost(source, plan, signal);
  if (used > 0)
    merge.note(
      'loss',
      'pgm/1',
      `${change}; ${used} pages with content lie beyond the end and are lost: the guest will crash when it uses them`,
    );
  else merge.note('kept', 'pgm/1', `${change}; the tables of the firmware keep the old size`);
}

/** Number of dropped pages with content. */
async function countLost(source: ByteSource, { keeps }: MemoryPlan, signal?: AbortSignal): Promise<number> {
  const page = new Uint8Array(PAGE_SIZE);
  let lost = 0;
  const take = (batch: PageBatch) => {
    for (let i = 0; i < batch.count; i++) {
      if (batch.kind[i] !== PageKind.RAM_RAW || keeps(batch.kind[i], batch.id[i], batch.page[i])) continue;
      batch.decode(i, page, 0);
      if (!isZero(page, 0, PAGE_SIZE)) lost++;
    }
  };
  await walkState(source, { skipCrc: true, sink: { take }, signal });
  return lost;
}
