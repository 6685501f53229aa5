import { WIDE } from '../../formats/binary/cursor.ts';
import { Writer } from '../../formats/binary/writer.ts';
import { UnsupportedError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { NIL_GC_PHYS } from '../../formats/pgm/layouts.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PgmPassWriter } from '../../formats/pgm/pgm-writer.ts';
import { DEFAULT_RAM_HOLE, LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../formats/pgm/ranges.ts';
import { pgmVersion } from '../../formats/pgm/versions.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { createContainer } from '../../formats/ssm/create-container.ts';
import { MixedPages, type PageContents } from './mixed-pages.ts';

const RELEASE = { major: 7, minor: 2, build: 22, revision: 175245 };

/** Writes a V2.0 state with pgm version 14 and `ramSize` bytes of RAM. */
export async function makeState(
  path: string,
  ramSize: number,
  content: PageContents = new MixedPages(),
): Promise<void> {
  const version = pgmVersion(14);
  if (!version) throw new UnsupportedError('unsupported-version', 'Cannot make state: version 14 is unknown');
  const sink = await openFileSink(path, { force: true });
  const out = createContainer(sink, '2.0', {
    release: RELEASE,
    hostBits: 64,
    widths: WIDE,
    live: false,
    registeredUnits: 36,
  });
  out.beginUnit({ name: 'mm', instance: 1, version: 2, pass: 'final' });
  const mm = new Writer();
  mm.u64(ramSize / PAGE_SIZE);
  mm.u64(ramSize);
  out.put(mm.view());
  out.endUnit();
  out.beginUnit({ name: 'pgm', instance: 1, version: 14, pass: 'final' });
  const cpu = { a20Enabled: true, a20Mask: NIL_GC_PHYS, guestMode: 1, paePds: Array<bigint>(4).fill(NIL_GC_PHYS) };
  const basic = {
    cpus: [cpu],
    balloonedPages: 0,
    mappings: [],
    mappingsFixed: false,
    mappingFixed: 0n,
    mappingFixedSize: 0,
  };
  const pass = new PgmPassWriter(out, version, WIDE, basic, {
    ramHole: DEFAULT_RAM_HOLE,
    ramSize,
    roms: [],
    mmio2: [],
  });
  for (const frame of ramFrames(ramSize)) {
    const page = content.next();
    pass.putPage(page ? PageKind.RAM_RAW : PageKind.RAM_ZERO, frame, 0, 0, page);
    if (out.isFull) await out.flush();
  }
  pass.end();
  out.endUnit();
  await out.finish();
  await sink.commit();
}

function* ramFrames(ramSize: number): Generator<number> {
  const { lowEnd, highEnd } = ramLayout(ramSize);
  for (const [start, end] of [
    [0, LOW_HOLE_START],
    [LOW_HOLE_END, lowEnd],
    [FOUR_GIB, highEnd],
  ]) {
    for (let address = start; address < end; address += PAGE_SIZE) yield address / PAGE_SIZE;
  }
}
