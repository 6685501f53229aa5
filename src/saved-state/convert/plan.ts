import { UnsupportedError, UsageError } from '../../../formats/errors.ts';
import type { PgmBasic, PgmConfig } from '../../../formats/pgm/head.ts';
import { NIL_GC_PHYS } from '../../../formats/pgm/layouts.ts';
import { PAGE_TYPE_NUMBERINGS, type PageTypeNumbering } from '../../../formats/pgm/old-ranges.ts';
import { PageKind } from '../../../formats/pgm/page-batch.ts';
import { DEFAULT_RAM_HOLE } from '../../../formats/pgm/ranges.ts';
import { type PgmVersion, pgmVersion, SINCE_BALLOON_COUNT, SINCE_PAE_PDS } from '../../../formats/pgm/versions.ts';
import { CONTAINER_FORMATS, type ContainerFormat } from '../../../formats/ssm/container.ts';
import { COMPRESSIONS, type Compression } from '../../../formats/ssm/writing/container-writer.ts';
import { chosenFrom } from '../../../formats/values/chosen-from.ts';
import type { MachineLayout } from '../layout/machine-layout.ts';
import { ramConfigOf } from '../layout/memory-map.ts';
import type { PgmSummary, SavedState } from '../reading/state.ts';

/** Target of a conversion. */
export interface ConvertOptions {
  /** Default: that of the source. */
  container?: ContainerFormat;
  /** Version of the pgm unit, 6 to 14. Default: that of the source. */
  pgm?: number;
  /** Merge the passes of a live save into one plain state. */
  flatten?: boolean;
  /** Default `lzf`. `none` stores everything as it is. */
  compression?: Compression;
  /** Compress blocks again that could be copied as they are. */
  recompress?: boolean;
  /** Go on where the target version can't hold something; the report lists it. */
  allowLoss?: boolean;
  /** Places of ROMs and MMIO2, for sources that do not tell them; they override places that the source tells. */
  layout?: MachineLayout;
  /**
   * Versions 7 to 9: page types as 2.2 and 3.0 wrote them, or as loaders since 4.3 read them. Default:
   * `original`.
   */
  pageTypes?: PageTypeNumbering;
}

/** Decisions of a conversion, before it starts. */
export interface ConvertPlan {
  container: ContainerFormat;
  version: PgmVersion | undefined;
  /** The pgm unit stays as it is, byte for byte. */
  keepsPgm: boolean;
  flatten: boolean;
  live: boolean;
  compression: Compression;
  recompress: boolean;
  pageTypes: PageTypeNumbering;
  /** Parts of the state that the target can't hold. */
  losses: string[];
  /** Values that the source does not hold; they were the same on every machine of its time. */
  assumptions: string[];
}

/** @throws UnsupportedError when the target can't hold the state, UsageError for options that don't go together */
export function planConversion(state: SavedState, options: ConvertOptions): ConvertPlan {
  const container = chosenFrom('container', options.container ?? state.header.format, CONTAINER_FORMATS);
  const flatten = options.flatten ?? false;
  const live = state.units.some(({ pass }) => pass !== 'final') && !flatten;
  if (container !== '2.0' && live) {
    throw new UnsupportedError(
      'no-passes',
      `Cannot write V${container}: that container has no passes of a live save; flatten the state`,
    );
  }
  const source = state.pgm && pgmVersion(state.pgm.version);
  const version = options.pgm === undefined ? source : pgmVersion(options.pgm);
  if (options.pgm !== undefined && !version)
    throw new UsageError('bad-version', `Cannot write pgm version ${options.pgm}: expected 6 to 14`);
  if (options.pgm !== undefined && !source)
    throw new UnsupportedError('no-memory', 'Cannot convert unit pgm: the state has none');
  const pageTypes = chosenFrom('pageTypes', options.pageTypes ?? 'original', PAGE_TYPE_NUMBERINGS);
  const hasPasses = state.units.some(({ pass }) => pass !== 'final');
  // Pages, unlike bytes of a payload, are encoded by several threads.
  const recompresses = options.recompress === true && version?.pages === 'records' && container === '2.0';
  const plan: ConvertPlan = {
    container,
    version,
    keepsPgm: version === source && !(flatten && hasPasses) && pageTypes === 'original' && !recompresses,
    flatten,
    live,
    compression: chosenFrom('compression', options.compression ?? 'lzf', COMPRESSIONS),
    recompress: options.recompress ?? false,
    pageTypes,
    losses: [],
    assumptions: [],
  };
  const { release } = state.header;
  if (release && container === '1.1')
    plan.losses.push(
      `VirtualBox version ${release.major}.${release.minor}.${release.build} r${release.revision} in the file header`,
    );
  if (source && version && !plan.keepsPgm) checkVersions(state, source, version, plan);
  if (plan.losses.length > 0 && !options.allowLoss) {
    throw new UnsupportedError(
      'lossy-downgrade',
      `Cannot convert without loss (--allow-loss goes on): ${plan.losses.join('; ')}`,
    );
  }
  return plan;
}

function checkVersions(state: SavedState, source: PgmVersion, target: PgmVersion, plan: ConvertPlan): void {
  const { basic, config, passes } = state.pgm ?? { passes: [] };
  if (plan.live && target.pages !== 'records')
    throw new UnsupportedError(
      'no-passes',
      `Cannot write pgm version ${target.version}: that version has no passes of a live save; flatten the state`,
    );
  if (basic && basic.cpus.length > 1 && target.basic !== 'per-cpu') {
    throw new UnsupportedError(
      'does-not-fit',
      `Cannot write pgm version ${target.version}: that version has one VCPU, the state has ${basic.cpus.length}`,
    );
  }
  if (basic) plan.losses.push(...basicLosses(basic, target));
  if (!target.ramConfig && source.ramConfig)
    plan.losses.push(`RAM configuration (size ${config?.ramSize}, hole ${config?.ramHole})`);
  const count = (kind: number) => passes.reduce((sum, { records }) => sum + records[kind], 0);
  if (!target.balloonRecords && count(PageKind.RAM_BALLOONED) > 0)
    plan.losses.push(`${count(PageKind.RAM_BALLOONED)} ballooned pages become zero pages`);
  const keepsShadows = target.pages === 'records' || (target.pages === 'typed-ranges' && plan.pageTypes === 'original');
  if (!keepsShadows && count(PageKind.ROM_SHADOW_RAW) + count(PageKind.ROM_SHADOW_ZERO) > 0)
    plan.losses.push('shadow ROM: only the bytes that the guest reads are kept');
  if (target.ramConfig && config?.ramHole === undefined)
    plan.assumptions.push(`RAM hole ${DEFAULT_RAM_HOLE} bytes, as all releases of its time had`);
}

function basicLosses(basic: PgmBasic, target: PgmVersion): string[] {
  const losses: string[] = [];
  const hasPds = basic.cpus.some(({ paePds }) => paePds.some((pd) => pd !== NIL_GC_PHYS));
  if (hasPds && target.version < SINCE_PAE_PDS) losses.push('PAE page directories of the VCPUs');
  if (basic.balloonedPages > 0 && target.version < SINCE_BALLOON_COUNT)
    losses.push(`number of ballooned pages (${basic.balloonedPages})`);
  if (basic.mappings.length > 0 && !target.mappings) losses.push(`${basic.mappings.length} guest mappings`);
  return losses;
}

/** The config block of a target that is made from a layout. */
export function configOf(pgm: PgmSummary, layout: MachineLayout): PgmConfig {
  return {
    ...ramConfigOf(pgm),
    roms: layout.roms.map(({ name, address, size }, i) => ({
      id: i + 1,
      device: '',
      instance: 0,
      region: 0,
      description: name,
      address,
      size,
    })),
    mmio2: layout.mmio2.map(({ name, device, instance, region, size }, i) => ({
      id: i + 1,
      device,
      instance,
      region,
      description: name,
      size,
    })),
  };
}

/** The config block of a target whose source has one. @throws UnsupportedError where no unit tells the RAM size */
export function completedConfig(state: SavedState, config: PgmConfig): PgmConfig {
  const ramSize = config.ramSize ?? state.pgm?.ramSize;
  if (ramSize === undefined)
    throw new UnsupportedError(
      'no-ram-size',
      'Cannot write RAM configuration: no unit of the state tells the RAM size',
    );
  return { ...config, ramHole: config.ramHole ?? DEFAULT_RAM_HOLE, ramSize };
}
