import { InterruptedError, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { changed } from '../../../formats/files/watched-file.ts';
import { hasContent, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import { isPgm, PgmReader } from '../../../formats/pgm/pgm-reader.ts';
import { PgmPassWriter } from '../../../formats/pgm/pgm-writer.ts';
import { pgmVersion } from '../../../formats/pgm/versions.ts';
import { KIB } from '../../../formats/sizes.ts';
import { type Container, type UnitHeader, unitLabel } from '../../../formats/ssm/container.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import type { ContainerWriter } from '../../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../../formats/ssm/writing/create-container.ts';
import { copyPayload } from '../convert/copy-payload.ts';
import type { MemoryPlan } from './memory.ts';
import type { AdaptPlan, PlannedUnit } from './plan.ts';

/** Bytes that a container writer takes at once. */
const PIECE = 64 * KIB;

/** Writes a state as planned. Compressed blocks of memory are copied unchanged. */
export async function writeAdapted(
  source: ByteSource,
  sink: ByteSink,
  { own, units, memory }: AdaptPlan,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (offset: number) => void },
): Promise<void> {
  const { header } = own.state;
  const out = createContainer(sink, header.format, { ...header, registeredUnits: units.length });
  const container = await openContainer(source);
  const tick = () => {
    if (signal?.aborted) throw new InterruptedError();
    onProgress?.(container.offset);
  };
  try {
    let next = 0;
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      next = await writeMade(out, units, next);
      if (!isNext(units[next], unit)) continue;
      out.beginUnit({ ...unit });
      if (isPgm(unit) && memory) await writeMemory(container, unit, out, memory, tick);
      else await copyPayload(container, out, false, tick);
      out.endUnit();
      if (out.isFull) await out.flush();
      next++;
    }
    next = await writeMade(out, units, next);
    if (next < units.length) throw changed(source.name, 'its units have changed');
  } finally {
    container.release();
  }
  await out.finish();
}

/** A plan without the pages of the guest; it keeps all that loaders compare. */
export function withoutPages(plan: AdaptPlan): AdaptPlan {
  const { basic, config } = plan.memory ?? plan.own.state.pgm ?? {};
  return basic && config ? { ...plan, memory: { basic, config, keeps: () => false } } : plan;
}

function isNext(planned: PlannedUnit | undefined, unit: UnitHeader): boolean {
  return planned !== undefined && planned.payload === undefined && unitLabel(planned.header) === unitLabel(unit);
}

/** Writes planned units with a payload of their own, up to the next one that is copied. @returns its index */
async function writeMade(out: ContainerWriter, units: readonly PlannedUnit[], from: number): Promise<number> {
  let next = from;
  for (; next < units.length; next++) {
    const { header, payload } = units[next];
    if (!payload) break;
    out.beginUnit({ ...header });
    for (let at = 0; at < payload.length; at += PIECE) {
      out.put(payload.subarray(at, at + PIECE));
      if (out.isFull) await out.flush();
    }
    out.endUnit();
    if (out.isFull) await out.flush();
  }
  return next;
}

async function writeMemory(
  container: Container,
  unit: UnitHeader,
  out: ContainerWriter,
  { basic, config, keeps }: MemoryPlan,
  tick: () => void,
): Promise<void> {
  const version = pgmVersion(unit.version);
  if (!version) throw new UnsupportedError('unsupported-version', `Cannot read unit pgm: version ${unit.version}`);
  const reader = new PgmReader(container);
  const writer = new PgmPassWriter(out, version, container.header.widths, basic, config);
  await reader.begin(unit);
  while (await reader.nextPages()) {
    await putBatch(reader.batch);
    tick();
  }
  writer.end();

  async function putBatch(batch: PageBatch): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      const [id, page, protection] = [batch.id[i], batch.page[i], batch.protection[i]];
      if (!keeps(kind, id, page)) continue;
      if (hasContent(kind)) writer.put(kind, page, id, protection, batch, i, 'none');
      else writer.putPage(kind, page, id, protection);
      if (out.isFull) await out.flush();
    }
  }
}
