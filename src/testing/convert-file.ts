import { basename, join } from 'node:path';
import { writeFileSink } from '../../formats/files/sink.ts';
import { type ByteSource, openFile } from '../../formats/files/source.ts';
import { type ConvertReport, type ConvertRun, convert } from '../saved-state/convert/convert.ts';

/** Converts a state into a file, over whatever is there; nothing stays of it when that fails. */
export function convertFile(source: ByteSource, path: string, run: ConvertRun): Promise<ConvertReport> {
  return writeFileSink(path, { force: true }, (sink) => convert(source, sink, run));
}

/** The state with another version of the unit pgm, in a folder; of a live one only the last pass. @returns its path */
export async function withPgm(path: string, pgm: number, folder: string): Promise<string> {
  const other = join(folder, `${basename(path, '.sav')}-pgm${pgm}.sav`);
  const source = await openFile(path);
  await convertFile(source, other, { pgm, flatten: source.name.includes('live'), allowLoss: true, proof: false });
  await source.close();
  return other;
}
