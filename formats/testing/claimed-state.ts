import { WIDE } from '../binary/cursor.ts';
import type { PgmConfig } from '../pgm/head.ts';
import { NIL_GC_PHYS } from '../pgm/layouts.ts';
import { PgmPassWriter } from '../pgm/pgm-writer.ts';
import { NEWEST_PGM } from '../pgm/versions.ts';
import { KIB, MIB } from '../sizes.ts';
import { createContainer } from '../ssm/writing/create-container.ts';
import { MemorySink } from './memory-sink.ts';

/** A unit of one byte over and over: next to nothing in the file. */
export interface DullUnit {
  name: string;
  size: number;
}

/** A whole state, whose head of the pgm unit claims `config`, and whose records of memory `put` writes. */
export async function stateWith(
  config: Partial<PgmConfig>,
  put: (pass: PgmPassWriter) => void = () => {},
  units: readonly DullUnit[] = [],
): Promise<Uint8Array> {
  const sink = new MemorySink();
  const out = createContainer(sink, '2.0', {
    release: { major: 7, minor: 2, build: 22, revision: 1 },
    hostBits: 64,
    widths: WIDE,
    live: false,
    registeredUnits: 1,
  });
  out.beginUnit({ name: 'pgm', instance: 1, version: NEWEST_PGM.version, pass: 'final' });
  const cpu = { a20Enabled: true, a20Mask: NIL_GC_PHYS, guestMode: 1, paePds: Array<bigint>(4).fill(NIL_GC_PHYS) };
  const basic = {
    cpus: [cpu],
    balloonedPages: 0,
    mappings: [],
    mappingsFixed: false,
    mappingFixed: 0n,
    mappingFixedSize: 0,
  };
  const pass = new PgmPassWriter(out, NEWEST_PGM, WIDE, basic, {
    ramHole: 512 * MIB,
    ramSize: 4 * MIB,
    roms: [],
    mmio2: [],
    ...config,
  });
  put(pass);
  pass.end();
  out.endUnit();
  const piece = new Uint8Array(64 * KIB).fill(0x41);
  for (const [instance, { name, size }] of units.entries()) {
    out.beginUnit({ name, instance, version: 1, pass: 'final' });
    for (let left = size; left > 0; left -= piece.length) {
      out.put(piece, 0, Math.min(left, piece.length));
      await out.flush();
    }
    out.endUnit();
  }
  await out.finish();
  return sink.view();
}
