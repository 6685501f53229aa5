import { crc32 } from '../../../formats/binary/crc32.ts';
import { FormatError, hex, NotAStateError, UnsupportedError, UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { pagingModeName, pagingModeOf } from '../../paging/modes.ts';
import { memoryMap } from '../layout/memory-map.ts';
import { type Finding, Findings, firstError } from '../reading/findings.ts';
import { INCOMPLETE_UNIT } from '../reading/incomplete-unit.ts';
import type { SavedState } from '../reading/state.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';
import { chooseThreads } from '../threads/choose-threads.ts';
import { zeroStretches } from './zero-stretches.ts';

/** Verdict on a whole state. */
export type VirtualBoxVerdict = 'whole' | 'damaged' | 'unsupported' | 'not-a-state';

/** Result of a verification. */
export interface VerifyReport {
  /** Verdict on the whole state. */
  verdict: VirtualBoxVerdict;
  /** The code with which VirtualBox's loader would refuse the file; absent if it would not, or has no code. */
  vboxCode?: string;
  /** Findings in file order; `place` tells the unit. */
  findings: Finding[];
  /** Number of findings beyond the first thousand, which were dropped. */
  droppedFindings: number;
  /** Readable parts of the state; absent if not even the header could be read. */
  state?: SavedState;
}

/** Options of a verification. */
export interface VerifyOptions extends Pick<WalkOptions, 'onProgress' | 'onUnit' | 'observer' | 'signal'> {
  /** End at the first damage: for a stream whose sender wants to know at once. */
  stopAtDamage?: boolean;
  /** Called with each batch of pages after its check. */
  onPages?: (batch: PageBatch) => void;
  /** Number of reading threads; default: as many as are useful. The report does not depend on it. */
  threads?: number;
}

/**
 * Makes all checks, and goes on after damage where the format allows it: each unit gets its own verdict.
 * @throws EnvironmentError, InterruptedError; damage is in the report
 */
export async function verify(source: ByteSource, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { stopAtDamage, onPages, threads, ...walkOptions } = options;
  const findings = new Findings();
  let state: SavedState | undefined;
  let isState = true;
  try {
    const count = onPages || options.onUnit ? 1 : chooseThreads(source, threads);
    if (count > 1) state = await (await import('../threads/walk-together.ts')).walkTogether(source, count, walkOptions);
    state ??= await walkState(source, {
      ...walkOptions,
      deep: true,
      onDamage: stopAtDamage ? undefined : (error: FormatError) => findings.addError(error),
      sink: onPages && { take: (batch: PageBatch) => onPages(walked(batch)) },
    });
    checkWholeState(state, findings);
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof UnsupportedError || error instanceof UsageError))
      throw error;
    isState = !(error instanceof NotAStateError);
    findings.addError(error);
  }
  if (isState && verdictOf(findings.errors) === 'damaged') await noteZeros(source, findings, options.signal);
  const first = firstError(findings.list);
  const report: VerifyReport = {
    verdict: isState ? verdictOf(findings.errors) : 'not-a-state',
    findings: findings.list,
    droppedFindings: findings.dropped,
  };
  if (first?.vboxCode) report.vboxCode = first.vboxCode;
  if (state) report.state = state;
  return report;
}

/** Adds findings about stretches of zeros, which explain others. */
async function noteZeros(source: ByteSource, findings: Findings, signal: AbortSignal | undefined): Promise<void> {
  const { stretches, further } = await zeroStretches(source, signal);
  for (const { start, end } of stretches) {
    const isTail = end === source.size;
    const message = isTail
      ? `There are only zeros from ${hex(start)} to the end: probably never written, as when the host crashes or ` +
        'a copy is broken off'
      : `There are only zeros from ${hex(start)} to ${hex(end)}: probably never written, or lost by the disk; ` +
        'the bytes after them may be good';
    findings.addError(new FormatError(isTail ? 'zeros-to-end' : 'zeros-inside', message, { offset: start }));
  }
  if (further > 0)
    findings.warn('more-zeros', `There are only zeros in ${further} further ${further === 1 ? 'place' : 'places'}`);
}

function walked(batch: PageBatch): PageBatch {
  batch.walk();
  return batch;
}

function verdictOf(errors: readonly Finding[]): VirtualBoxVerdict {
  if (errors.length === 0) return 'whole';
  return errors.every((error) => error.unsupported) ? 'unsupported' : 'damaged';
}

/**
 * Checks that need all units. Their findings are no damage: loaders take such files, or refuse them for other reasons.
 */
function checkWholeState(state: SavedState, findings: Findings): void {
  checkDirectory(state, findings);
  const pgmIndex = state.units.findIndex((unit) => unit.name === 'pgm' && unit.pass === 'final');
  const cpumIndex = state.units.findIndex((unit) => unit.name === 'cpum');
  if (pgmIndex >= 0 && (cpumIndex < 0 || cpumIndex > pgmIndex)) {
    findings.warn(
      'no-cpum',
      'There is no unit cpum before pgm: VirtualBox refuses to load the state',
      'VERR_WRONG_ORDER',
    );
  }
  if (pgmIndex < 0) findings.warn('no-pgm', 'There is no final unit pgm: the state holds no complete memory');
  if (state.units.some(({ name }) => name === INCOMPLETE_UNIT.name)) {
    const message =
      'Parts of the machine are missing, as the unit savkit/incomplete lists: VirtualBox refuses to load the state';
    findings.warn('incomplete', message, 'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND');
  }
  checkSizes(state, findings);
  checkModes(state, findings);
}

function checkDirectory(state: SavedState, findings: Findings): void {
  if (!state.directory) return;
  const byOffset = new Map(state.units.map((unit) => [unit.offset, unit]));
  for (const [i, entry] of state.directory.entries()) {
    const unit = byOffset.get(entry.offset);
    if (!unit) {
      if (entry.offset !== 0)
        findings.warn(
          'directory-mismatch',
          `Directory entry ${i} points to ${hex(entry.offset)}, where no unit starts`,
          undefined,
          { offset: entry.offset },
        );
    } else if (unit.instance !== entry.instance || crc32(Buffer.from(unit.name, 'latin1')) !== entry.nameCrc) {
      findings.warn(
        'directory-mismatch',
        `Directory entry ${i} does not fit unit ${unit.name}/${unit.instance}, to which it points`,
        undefined,
        {
          offset: entry.offset,
        },
      );
    }
  }
}

function checkSizes(state: SavedState, findings: Findings): void {
  const { mm, pgm } = state;
  const ramSize = pgm?.config?.ramSize;
  if (mm && ramSize !== undefined && mm.ramSize !== ramSize) {
    findings.warn(
      'ram-size',
      `Unit mm holds a RAM size of ${mm.ramSize} bytes, unit pgm one of ${ramSize}`,
      'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH',
    );
  }
  if (!pgm?.config) return;
  const expected = memoryMap(state).reduce(
    (sum, { kind, start, end }) => (kind === 'ram' ? sum + (end - start) / PAGE_SIZE : sum),
    0,
  );
  const missing = expected - pgm.ramPages;
  if (missing > 0)
    findings.warn('pages-missing', `${missing} of ${expected} RAM pages are not in the file; loaders leave them zero`);
}

function checkModes(state: SavedState, findings: Findings): void {
  const cpus = state.cpum?.cpus ?? [];
  const stored = state.pgm?.basic?.cpus ?? [];
  if (cpus.length > 0 && stored.length > 0 && cpus.length !== stored.length) {
    findings.warn('cpu-count', `Unit cpum holds ${cpus.length} VCPUs, unit pgm ${stored.length}`);
  }
  for (const [i, cpu] of cpus.entries()) {
    const mode = stored[i] && pagingModeName(stored[i].guestMode);
    const implied = pagingModeOf(cpu);
    if (stored[i] && mode !== implied) {
      findings.warn(
        'paging-mode',
        `VCPU ${i}: the registers imply mode ${implied}, unit pgm holds ${mode ?? stored[i].guestMode}`,
      );
    }
  }
}
