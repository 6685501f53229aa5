import { WIDE } from '../../formats/binary/cursor.ts';
import { Writer } from '../../formats/binary/writer.ts';
import { type Pass, UnsupportedError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { NIL_GC_PHYS } from '../../formats/pgm/layouts.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PgmPassWriter } from '../../formats/pgm/pgm-writer.ts';
import { DEFAULT_RAM_HOLE, LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../formats/pgm/ranges.ts';
import { pgmVersion } from '../../formats/pgm/versions.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../formats/ssm/writing/create-container.ts';
import { MixedPages, type PageGenerator } from './mixed-pages.ts';

const CPU = { a20Enabled: true, a20Mask: NIL_GC_PHYS, guestMode: 1, paePds: Array<bigint>(4).fill(NIL_GC_PHYS) };
const BASIC = {
  cpus: [CPU],
  balloonedPages: 0,
  mappings: [],
  mappingsFixed: false,
  mappingFixed: 0n,
  mappingFixedSize: 0,
};
const RELEASE = { major: 7, minor: 2, build: 22, revision: 175245 };

/** Writes a V2.0 state with pgm version 14 and `ramSize` bytes of RAM. */
export async function makeState(
  path: string,
  ramSize: number,
  content: PageGenerator = new MixedPages(),
): Promise<void> {
  await writeBenchState(path, { ramSize }, async (_, putPages) => {
    await putPages('final', function* () {
      for (const frame of ramFrames(ramSize)) yield { frame, page: content.next() };
    });
  });
}

interface FramePage {
  frame: number;
  /** Absent for zeros. */
  page: Uint8Array | undefined;
}

/** Writes a unit pgm with some pages. */
export type PutPages = (pass: Pass, pages: () => Iterable<FramePage>) => Promise<void>;

/** Writes a V2.0 state of a machine without devices; `use` adds its pgm units, and others if it likes. */
export async function writeBenchState(
  path: string,
  { ramSize, live = false }: { ramSize: number; live?: boolean },
  use: (out: ContainerWriter, putPages: PutPages) => Promise<void>,
): Promise<void> {
  const version = pgmVersion(14);
  if (!version) throw new UnsupportedError('unsupported-version', 'Cannot make state: version 14 is unknown');
  const sink = await openFileSink(path, { force: true });
  const out = createContainer(sink, '2.0', {
    release: RELEASE,
    hostBits: 64,
    widths: WIDE,
    live,
    registeredUnits: 36,
  });
  const config = { ramHole: DEFAULT_RAM_HOLE, ramSize, roms: [], mmio2: [] };
  const putMm = () => {
    out.beginUnit({ name: 'mm', instance: 1, version: 2, pass: 'final' });
    const mm = new Writer();
    mm.u64(ramSize / PAGE_SIZE);
    mm.u64(ramSize);
    out.put(mm.view());
    out.endUnit();
  };
  await use(out, async (pass, pages) => {
    const isFinal = pass === 'final';
    if (isFinal) putMm();
    out.beginUnit({ name: 'pgm', instance: 1, version: version.version, pass });
    const hasConfig = live ? pass === 0 : isFinal;
    const writer = new PgmPassWriter(out, version, WIDE, isFinal ? BASIC : undefined, hasConfig ? config : undefined);
    for (const { frame, page } of pages()) {
      writer.putPage(page ? PageKind.RAM_RAW : PageKind.RAM_ZERO, frame, 0, 0, page);
      if (out.isFull) await out.flush();
    }
    writer.end();
    out.endUnit();
  });
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
