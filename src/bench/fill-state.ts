import { openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { isRam, PageKind } from '../../formats/pgm/page-batch.ts';
import { isPgm, PgmReader } from '../../formats/pgm/pgm-reader.ts';
import { PgmPassWriter } from '../../formats/pgm/pgm-writer.ts';
import { LOW_HOLE_END, LOW_HOLE_START } from '../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { openContainer } from '../../formats/ssm/open.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import { createContainer } from '../../formats/ssm/writing/create-container.ts';
import { copyPayload } from '../saved-state/convert/copy-payload.ts';
import { MixedPages } from './mixed-pages.ts';

/** Loaders refuse content there. */
function isInLowHole(address: number): boolean {
  return address >= LOW_HOLE_START && address < LOW_HOLE_END;
}

/**
 * Writes a plain state that VirtualBox restores: `template`, which VirtualBox has written, with mixed pages in place of
 * its RAM.
 */
export async function fillState(template: string, path: string): Promise<void> {
  const source = await openFile(template);
  const sink = await openFileSink(path, { force: true });
  const container = await openContainer(source);
  const { header } = container;
  const out = createContainer(sink, '2.0', { ...header, live: false, registeredUnits: header.registeredUnits ?? 0 });
  const pgm = new PgmReader(container);
  const content = new MixedPages();
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    out.beginUnit(unit);
    if (isPgm(unit)) {
      await pgm.begin(unit);
      const { version, basic, config, batch } = pgm;
      if (!version || !basic || !config)
        throw new Error(`Cannot fill ${template}: it is no plain state of pgm 10 or later`);
      const pass = new PgmPassWriter(out, version, header.widths, basic, config);
      while (await pgm.nextPages()) {
        for (let i = 0; i < batch.count; i++) {
          const kind = batch.kind[i];
          if (isRam(kind) && !isInLowHole(batch.page[i] * PAGE_SIZE)) {
            const page = content.next();
            pass.putPage(page ? PageKind.RAM_RAW : PageKind.RAM_ZERO, batch.page[i], 0, 0, page);
          } else if (batch.encoding[i] === Encoding.NONE) {
            pass.putPage(kind, batch.page[i], batch.id[i], batch.protection[i]);
          } else {
            pass.put(kind, batch.page[i], batch.id[i], batch.protection[i], batch, i);
          }
          if (out.isFull) await out.flush();
        }
      }
      pass.end();
    } else {
      await copyPayload(container, out, false, () => {});
    }
    out.endUnit();
  }
  await out.finish();
  container.release();
  await source.close();
  await sink.commit();
}
