import { join } from 'node:path';
import { writeFileSink } from '../../formats/files/sink.ts';
import { readTextFile } from '../../formats/files/text-file.ts';
import { MIB } from '../../formats/sizes.ts';
import { jsonOf } from '../../formats/values/json-text.ts';
import type { MigrationReport } from './report.ts';
import { reportShape } from './report-shapes.ts';

// Records hold decisions. The figures of a migration are kept beside the record of its source; nothing is decided by
// them.

/** A report of 10,000 rounds has some megabytes. */
const REPORT_LIMIT = 16 * MIB;

function reportPath(folder: string, migration: string): string {
  return join(folder, `${migration}.report.json`);
}

/** Keeps a report beside the record of its migration. @throws EnvironmentError */
export async function keepReport(folder: string, report: MigrationReport): Promise<void> {
  const text = `${JSON.stringify(report)}\n`;
  await writeFileSink(reportPath(folder, report.migration), { force: true }, (sink) => sink.write(Buffer.from(text)));
}

/** The report of a migration; undefined if none was kept, or the file is no report. */
export async function readKeptReport(folder: string, migration: string): Promise<MigrationReport | undefined> {
  // Older versions kept none, and the target keeps none.
  const text = await readTextFile(reportPath(folder, migration), REPORT_LIMIT).catch(() => undefined);
  const report = jsonOf(text ?? '', reportShape);
  return report?.migration === migration ? report : undefined;
}
