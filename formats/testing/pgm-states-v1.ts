import { crc32 } from 'node:zlib';
import { PgmBytes } from './pgm-bytes.ts';
import { naiveLzf, type PgmUnit, pieces } from './pgm-states.ts';

// Containers of V1.1 and V1.2, as ssm-container.md has them.

export type V1Format = '1.1' | '1.2';

export interface V1Options {
  /** Bytes of a guest pointer; V1.2 stores it. */
  gcPtr?: 4 | 8;
  /** `store`: one piece, `lzf`: blocks of so many bytes. */
  blocks?: 'store' | number;
}

export function stateV1(format: V1Format, units: PgmUnit[], { gcPtr = 8, blocks = 32768 }: V1Options = {}): Uint8Array {
  const version = new PgmBytes().u16(3).u16(0).u32(14).u32(58977).u8(64).u8(8).u8(gcPtr).u8(0).done();
  const headerSize = format === '1.1' ? 64 : 80;
  const parts = units.map((unit) => unitOf(unit, blocks));
  parts.push(new PgmBytes().raw(Buffer.from('\nTheEnd\0', 'latin1')).u64(28).u32(0).u32(0).u32(0).done());
  const body = Buffer.concat([Buffer.alloc(20), ...(format === '1.2' ? [version] : []), ...parts]);
  const fileSize = 44 + body.length;
  // The CRC field's quirk: it covers as many bytes as follow the header, but starts right after itself.
  const crc = crc32(body.subarray(0, fileSize - headerSize));
  const magic = Buffer.from(`\x7fVirtualBox SavedState V${format}\n\0\0\0\0`, 'latin1');
  return new PgmBytes().raw(magic).u64(fileSize).u32(crc).raw(body).done();
}

function unitOf({ name = 'pgm', version, payload }: PgmUnit, blocks: 'store' | number): Uint8Array {
  const data = blocks === 'store' ? Buffer.concat([Buffer.of(2), payload]) : lzfBlocks(payload, blocks);
  const out = new PgmBytes().raw(Buffer.from('\nUnit\n\0\0', 'latin1'));
  out.u64(28 + name.length + 1 + data.length).u32(version);
  out.u32(name === 'pgm' ? 1 : 0).u32(name.length + 1);
  return out
    .raw(Buffer.from(`${name}\0`, 'latin1'))
    .raw(data)
    .done();
}

/** Cuts a payload into blocks, and those in halves that would hold more than 16374 bytes of data. */
function lzfBlocks(payload: Uint8Array, size: number): Uint8Array {
  const out = new PgmBytes().u8(5);
  const put = (piece: Uint8Array) => {
    const lzf = naiveLzf(piece);
    if (lzf.length > 16374) for (const half of pieces(piece, Math.ceil(piece.length / 2))) put(half);
    else out.raw(Buffer.of(0x5a, 0x56)).u16(lzf.length).u32(0).u16(piece.length).raw(lzf);
  };
  for (const piece of pieces(payload, size)) put(piece);
  return out.done();
}
