import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import type { AddressSpace } from '../../../src/paging/address-space.ts';
import { hierarchyOf } from '../../../src/paging/hierarchy.ts';
import { mappingsOf } from '../../../src/paging/mappings-of.ts';
import { MODE_NAMES } from '../../../src/paging/modes.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { CPU, CR3, FILE } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { withSpace } from '../../process/load-machine.ts';
import { type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { lines, type Piece } from '../../terminal/terminal-text.ts';
import {
  FLAGS_LEGEND,
  HIERARCHY_HEAD,
  hexText,
  hierarchyText,
  RUNS_HEAD,
  RUNS_LEGEND,
  rightsText,
  runsText,
} from '../../text/paging-text.ts';

const builder = (argv: Argv) =>
  withRamFile(withCommonOptions(argv))
    .positional('file', FILE)
    .option('cpu', CPU)
    .option('cr3', CR3)
    .option('depth', {
      type: 'number',
      requiresArg: true,
      describe: 'Levels of tables to show, the root included; default: all',
    })
    .option('runs', {
      type: 'boolean',
      default: false,
      describe: 'Mapped memory, neighbours of equal page size and rights in one line',
    })
    .option('limit', {
      type: 'number',
      default: 100_000,
      requiresArg: true,
      describe: 'Lines to show at most: page tables that contain themselves have no end',
    })
    .example('$0 pagetable machine.sav', 'Every present entry, level by level')
    .example('$0 pagetable machine.sav --runs', 'Virtual memory in runs')
    .example('$0 pagetable machine.sav --depth 2 --cpu 0', 'The upper two levels of the first CPU')
    .epilogue('Exit code 3 when the limit cut the list.');
type Options = OptionsOf<typeof builder>;

export const pagetableCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('pagetable', [options.file], options, async (job) => {
    for (const name of ['depth', 'limit'] as const) {
      const { [name]: value = 1 } = options;
      if (!Number.isInteger(value) || value < 1)
        throw new UsageError('bad-number', `Cannot show page tables: --${name} must be 1 or more`);
    }
    return withSpace(job, options, (space) =>
      options.runs ? showRuns(space, options, job.signal) : showHierarchy(space, options, job.signal),
    );
  });
});

async function showHierarchy(space: AddressSpace, { depth, limit }: Options, signal: AbortSignal): Promise<Outcome> {
  const { entries, complete } = await hierarchyOf(space, { levels: depth, maxEntries: limit }, signal);
  const result = {
    ...rootOf(space),
    complete,
    entries: entries.map((entry) => ({
      virtual: hexText(entry.virtual),
      level: entry.name,
      value: hexText(entry.value),
      kind: entry.isLost ? 'no-memory' : entry.kind,
      physical: hexText(entry.gcPhys),
      span: entry.span,
    })),
  };
  return outcome(complete, result, [
    titleOf(space),
    ...(entries.length > 0 ? [HIERARCHY_HEAD, hierarchyText(entries), FLAGS_LEGEND] : []),
  ]);
}

async function showRuns(space: AddressSpace, { limit }: Options, signal: AbortSignal): Promise<Outcome> {
  const { runs, complete } = await mappingsOf(space, { maxRuns: limit }, signal);
  const result = {
    ...rootOf(space),
    complete,
    runs: runs.map((run) => ({
      virtual: hexText(run.virtual),
      physical: hexText(run.gcPhys),
      size: run.size,
      pageSize: run.pageSize,
      rights: rightsText(run),
    })),
  };
  return outcome(complete, result, [
    titleOf(space),
    ...(runs.length > 0 ? [RUNS_HEAD, runsText(runs), RUNS_LEGEND] : []),
  ]);
}

function outcome(complete: boolean, result: object, text: Piece[]): Outcome {
  if (!complete) text.push('There is more: --limit');
  return { exitCode: complete ? ExitCode.OK : ExitCode.PARTLY, result, text: lines(text) };
}

function rootOf({ mode, walker }: AddressSpace): object {
  return { mode, root: walker && hexText(walker.root) };
}

function titleOf({ mode, walker }: AddressSpace): string {
  return walker
    ? `${MODE_NAMES[mode]}, root at ${hexText(walker.root)}`
    : `${MODE_NAMES[mode]}: no paging, virtual addresses are physical`;
}
