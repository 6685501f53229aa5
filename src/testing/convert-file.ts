import { openFileSink } from '../../formats/files/sink.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { type ConvertReport, type ConvertRun, convert } from '../saved-state/convert/convert.ts';

/** Converts a state into a file, over whatever is there; nothing stays of it when that fails. */
export async function convertFile(source: ByteSource, path: string, run: ConvertRun): Promise<ConvertReport> {
  const sink = await openFileSink(path, { force: true });
  try {
    const report = await convert(source, sink, run);
    await sink.commit();
    return report;
  } finally {
    await sink.abort();
  }
}
