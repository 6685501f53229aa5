import { readKeptReport } from '../../migrations/report/kept-report.ts';
import type { MigrationReport, ProofReport } from '../../migrations/report/report.ts';
import type { RecordedMigration } from './list-records.ts';

/** A migration with the figures of its source's report. */
export interface ReportedMigration extends RecordedMigration {
  /** Null if the report is not here, or was never written, as by a killed or older source. */
  report: ReportedFigures | null;
}

/** Figures of a report that `history` shows. */
export type ReportedFigures = Pick<
  MigrationReport,
  'downtimeMs' | 'totalMs' | 'bytes' | 'because' | 'code' | 'stays' | 'inFile'
> & {
  /** Way in which memory was proved; null for a migration that ended before the proof. */
  proof: ProofReport['mode'] | null;
  /** Pages with a write that never reached the target, found after the hand-over. */
  lostPages: number;
};

/**
 * Adds the figures of the reports beside the records, one report at a time, since each may be large.
 * @param folder with the records
 */
export async function withReports(
  folder: string,
  migrations: readonly RecordedMigration[],
): Promise<ReportedMigration[]> {
  const reported: ReportedMigration[] = [];
  for (const each of migrations)
    reported.push({ ...each, report: figuresOf(await readKeptReport(folder, each.migration)) });
  return reported;
}

function figuresOf(report: MigrationReport | undefined): ReportedFigures | null {
  if (!report) return null;
  const { downtimeMs, totalMs, bytes, because, code, stays, inFile, proof } = report;
  const figures = { downtimeMs, totalMs, bytes, because, code, stays, inFile };
  return { ...figures, proof: proof?.mode ?? null, lostPages: proof?.afterwards?.lostPages ?? 0 };
}
