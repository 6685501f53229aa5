import { InterruptedError } from '../../../formats/errors.ts';
import type { ByteSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { readState } from '../families/read-state.ts';
import { findUnit } from '../layout/unit-choice.ts';
import type { StateView } from '../reading/state-view.ts';
import { copyUnit, type ExtractOptions, type ExtractReport, prepareExtraction, reportOf } from './extract.ts';
import { ImageStream } from './image-stream.ts';
import { PageLoader } from './page-loader.ts';
import { PagePlaces } from './page-places.ts';
import type { ExtractPlan } from './plan-extraction.ts';

/**
 * Does the work of `extract` for a sink that only takes bytes front to back. The whole state is checked before the
 * first byte is written, without a temporary file. Holes of a sparse image become zeros.
 * @returns undefined, with nothing written, if the file does not store pages one by one, as in many states of older
 * versions
 * @throws FormatError for damage, UsageError for parts that the state does not have
 */
export async function extractToStream(
  source: ByteSource,
  sink: ByteSink,
  options: ExtractOptions = {},
): Promise<ExtractReport | undefined> {
  const { state, plan: planned } = await prepareExtraction(source, options);
  if (options.unit !== undefined) return streamUnit(source, sink, state, options.unit, options);
  const { plan, kernel } = await planned();
  const places = new PagePlaces(source, plan.placement);
  await readState(source, { ...checking(options), deep: true, sink: places });
  if (places.areIncomplete) return undefined;
  await streamImage(source, sink, plan, places, options);
  return reportOf(plan, options, kernel);
}

async function streamImage(
  source: ByteSource,
  sink: ByteSink,
  plan: ExtractPlan,
  places: PagePlaces,
  { signal, onProgress }: ExtractOptions,
): Promise<void> {
  const { size, fixed } = plan.layout;
  const image = new ImageStream(sink, size, (position) => {
    if (signal?.aborted) throw new InterruptedError();
    onProgress?.(position, 'writing', size);
  });
  const loader = new PageLoader(source);
  const page = new Uint8Array(PAGE_SIZE);
  const headers = fixed.toSorted((a, b) => a.offset - b.offset);
  let header = 0;
  const putHeaders = async (end: number) => {
    for (; header < headers.length && headers[header].offset < end; header++)
      await image.put(headers[header].offset, headers[header].bytes);
  };
  for (const i of places.inOrder()) {
    const target = places.target[i];
    await putHeaders(target);
    await image.putPage(target, page, (bytes, to) =>
      loader.load(places.encoding[i], places.at[i], places.length[i], bytes, to),
    );
  }
  await putHeaders(size);
  await image.end();
  loader.release();
}

async function streamUnit(
  source: ByteSource,
  sink: ByteSink,
  state: StateView,
  name: string,
  options: ExtractOptions,
): Promise<ExtractReport> {
  // A missing unit is reported before the long check.
  findUnit(state, name);
  await readState(source, { ...checking(options), deep: true, opaque: true });
  return copyUnit(source, state, name, { skipCrc: true, signal: options.signal }, (piece) => sink.write(piece));
}

function checking({ signal, onProgress }: ExtractOptions) {
  return {
    signal,
    onProgress: onProgress && ((offset: number) => onProgress(offset, 'checking')),
  };
}
