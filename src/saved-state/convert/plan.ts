import { UnsupportedError, UsageError } from '../../../formats/errors.ts';
import type { PgmBasic, PgmConfig } from '../../../formats/pgm/head.ts';
import { NIL_GC_PHYS } from '../../../formats/pgm/layouts.ts';
import { PageKind } from '../../../formats/pgm/page-batch.ts';
import { DEFAULT_RAM_HOLE } from '../../../formats/pgm/ranges.ts';
import { type PgmVersion, pgmVersion, SINCE_BALLOON_COUNT, SINCE_PAE_PDS } from '../../../formats/pgm/versions.ts';
import type { ContainerFormat } from '../../../formats/ssm/container.ts';
import type { Compression } from '../../../formats/ssm/container-writer.ts';
import type { SavedState } from '../state.ts';
import { type MachineLayout, ramEnd } from './machine-layout.ts';

export interface ConvertOptions {
  /** Default: that of the source. */
  container?: ContainerFormat;
  /** Version of the pgm unit, 6 to 14. Default: that of the source. */
  pgm?: number;
  /** Make one plain state of the passes of a live save. */
  flatten?: boolean;
  /** Default `lzf`. `none` stores everything as it is. */
  compression?: Compression;
  /** Compress blocks anew that could pass as they are. */
  recompress?: boolean;
  /** Go on where the target version can't hold something; the report lists it. */
  allowLoss?: boolean;
  /** What the source does not tell of ROMs and MMIO2; overrides what it tells. */
  layout?: MachineLayout;
}

/** What a conversion will do. */
export interface ConvertPlan {
  container: ContainerFormat;
  version: PgmVersion | undefined;
  /** The pgm unit stays as it is, byte for byte. */
  keepsPgm: boolean;
  flatten: boolean;
  live: boolean;
  compression: Compression;
  recompress: boolean;
  /** What the target can't hold. */
  losses: string[];
  /** What was not in the source and is the same on every machine of its time. */
  assumptions: string[];
}

/** @throws UnsupportedError when the target can't hold the state, UsageError for options that don't go together */
export function planConversion(state: SavedState, options: ConvertOptions): ConvertPlan {
  const container = options.container ?? state.header.format;
  const flatten = options.flatten ?? false;
  const live = state.units.some(({ pass }) => pass !== 'final') && !flatten;
  if (container !== '2.0' && live) {
    throw new UnsupportedError('no-passes', `Cannot write V${container}: it holds no passes of a live save; flatten it`);
  }
  const source = state.pgm && pgmVersion(state.pgm.version);
  const version = options.pgm === undefined ? source : pgmVersion(options.pgm);
  if (options.pgm !== undefined && !version) throw new UsageError('bad-version', `Cannot write pgm version ${options.pgm}: expected 6 to 14`);
  if (options.pgm !== undefined && !source) throw new UnsupportedError('no-memory', 'Cannot convert unit pgm: the state has none');
  const hasPasses = state.units.some(({ pass }) => pass !== 'final');
  const plan: ConvertPlan = {
    container,
    version,
    keepsPgm: version === source && !(flatten && hasPasses),
    flatten,
    live,
    compression: options.compression ?? 'lzf',
    recompress: options.recompress ?? false,
    losses: [],
    assumptions: [],
  };
  const { release } = state.header;
  if (release && container === '1.1')
    plan.losses.push(`VirtualBox version ${release.major}.${release.minor}.${release.build} r${release.revision} in the file header`);
  if (source && version && !plan.keepsPgm) checkVersions(state, source, version, plan);
  if (plan.losses.length > 0 && !options.allowLoss) {
    throw new UnsupportedError('lossy-downgrade', `Cannot convert without loss (--allow-loss goes on): ${plan.losses.join('; ')}`);
  }
  return plan;
}

function checkVersions(state: SavedState, source: PgmVersion, target: PgmVersion, plan: ConvertPlan): void {
  if (target.pages !== 'records') {
    throw new UnsupportedError('not-yet', `Cannot write pgm version ${target.version}: versions 6 to 9 are only kept, not made`);
  }
  const { basic, config, passes } = state.pgm ?? { passes: [] };
  if (basic) plan.losses.push(...basicLosses(basic, target));
  if (!target.ramConfig && source.ramConfig) plan.losses.push(`RAM configuration (size ${config?.ramSize}, hole ${config?.ramHole})`);
  const ballooned = passes.reduce((sum, { records }) => sum + records[PageKind.RAM_BALLOONED], 0);
  if (!target.balloonRecords && ballooned > 0) plan.losses.push(`${ballooned} ballooned pages become zero pages`);
  if (target.ramConfig && config?.ramHole === undefined) plan.assumptions.push(`RAM hole ${DEFAULT_RAM_HOLE} bytes, as all releases of its time had`);
}

function basicLosses(basic: PgmBasic, target: PgmVersion): string[] {
  const losses: string[] = [];
  const hasPds = basic.cpus.some(({ paePds }) => paePds.some((pd) => pd !== NIL_GC_PHYS));
  if (hasPds && target.version < SINCE_PAE_PDS) losses.push('PAE page directories of the VCPUs');
  if (basic.balloonedPages > 0 && target.version < SINCE_BALLOON_COUNT) losses.push(`number of ballooned pages (${basic.balloonedPages})`);
  if (basic.mappings.length > 0 && !target.mappings) losses.push(`${basic.mappings.length} guest mappings`);
  return losses;
}

/** The config block of the target. @throws UnsupportedError where the source does not tell enough */
export function targetConfig(state: SavedState, layout: MachineLayout | undefined): PgmConfig {
  const { pgm } = state;
  if (pgm?.config && !layout) {
    const ramSize = pgm.config.ramSize ?? pgm.ramSize;
    if (ramSize === undefined) throw new UnsupportedError('no-ram-size', 'Cannot write RAM configuration: no unit of the state tells the RAM size');
    return { ...pgm.config, ramHole: pgm.config.ramHole ?? DEFAULT_RAM_HOLE, ramSize };
  }
  if (!layout) throw new UnsupportedError('no-layout', 'Cannot write lists of ROMs and MMIO2 ranges: the state does not hold them');
  return {
    ramHole: DEFAULT_RAM_HOLE,
    ramSize: pgm?.ramSize ?? ramEnd(state),
    roms: layout.roms.map(({ name, address, size }, i) => ({ id: i + 1, device: '', instance: 0, region: 0, description: name, address, size })),
    mmio2: layout.mmio2.map(({ name, device, instance, region, size }, i) => ({ id: i + 1, device, instance, region, description: name, size })),
  };
}
