// The units of a good file, found the naive way, whole in memory: shares no code with the readers that it judges.

/** Pass of the final, or only, part of a save. */
export const NAIVE_FINAL = 0xffffffff;

export interface NaiveUnit {
  name: string;
  instance: number;
  version: number;
  pass: number;
  /** Of the file. */
  start: number;
  end: number;
  payload: Buffer;
  /** Parts of the payload: where they stand in the file. */
  pieces: { at: number; size: number; start: number; end: number; isRaw: boolean }[];
}

/** @param file a container V1.1, V1.2 or V2.0 */
export function naiveUnits(file: Buffer): NaiveUnit[] {
  return file.toString('latin1', 23, 27) === 'V2.0' ? unitsV2(file) : unitsV1(file);
}

function unitsV2(file: Buffer): NaiveUnit[] {
  const units: NaiveUnit[] = [];
  let at = 64;
  while (file.toString('latin1', at, at + 6) === '\nUnit\n') {
    const nameSize = file.readUInt32LE(at + 40);
    const unit = newUnit(
      file,
      at,
      44,
      nameSize,
      file.readUInt32LE(at + 24),
      file.readUInt32LE(at + 28),
      file.readUInt32LE(at + 32),
    );
    const parts: Part[] = [];
    let p = at + 44 + nameSize;
    for (; (file[p] & 15) !== 1; ) {
      const { size, head } = recordSize(file, p);
      const content = p + head;
      const type = file[p] & 15;
      if (type === 2) addPiece(unit, parts, { size, raw: file.subarray(content, content + size) }, content);
      else {
        const lzf = type === 3 ? file.subarray(content + 1, content + size) : undefined;
        addPiece(unit, parts, { size: file[content] * 1024, lzf }, p, content + size);
      }
      p = content + size;
    }
    unit.payload = joined(parts);
    unit.end = p + 16;
    units.push(unit);
    at = unit.end;
  }
  return units;
}

function unitsV1(file: Buffer): NaiveUnit[] {
  const units: NaiveUnit[] = [];
  let at = file.toString('latin1', 23, 27) === 'V1.1' ? 64 : 80;
  while (file.toString('latin1', at, at + 6) === '\nUnit\n') {
    const nameSize = file.readUInt32LE(at + 24);
    const unit = newUnit(file, at, 28, nameSize, file.readUInt32LE(at + 16), file.readUInt32LE(at + 20), NAIVE_FINAL);
    unit.end = at + Number(file.readBigUInt64LE(at + 8));
    const parts: Part[] = [];
    let p = at + 28 + nameSize;
    const type = file[p++];
    if (type === 2) addPiece(unit, parts, { size: unit.end - p, raw: file.subarray(p, unit.end) }, p);
    while (type === 5 && p < unit.end) {
      const size = file.readUInt16LE(p + 2);
      const lzf = file.subarray(p + 10, p + 10 + size);
      addPiece(unit, parts, { size: file.readUInt16LE(p + 8), lzf }, p, p + 10 + size);
      p += 10 + size;
    }
    unit.payload = joined(parts);
    units.push(unit);
    at = unit.end;
  }
  return units;
}

function newUnit(
  file: Buffer,
  start: number,
  head: number,
  nameSize: number,
  version: number,
  instance: number,
  pass: number,
): NaiveUnit {
  const name = file.toString('latin1', start + head, start + head + nameSize - 1);
  return { name, instance, version, pass, start, end: start, payload: Buffer.alloc(0), pieces: [] };
}

/** A piece of a payload: as it stands, compressed, or zeros. */
interface Part {
  size: number;
  raw?: Buffer;
  lzf?: Buffer;
}

function addPiece(unit: NaiveUnit, parts: Part[], part: Part, start: number, end = start + part.size): void {
  const last = unit.pieces.at(-1);
  const isRaw = part.raw !== undefined;
  unit.pieces.push({ at: last ? last.at + last.size : 0, size: part.size, start, end, isRaw });
  parts.push(part);
}

function joined(parts: readonly Part[]): Buffer {
  const payload = Buffer.alloc(parts.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const { size, raw, lzf } of parts) {
    if (raw) payload.set(raw, at);
    if (lzf) naiveLzfDecode(lzf, payload.subarray(at, at + size));
    at += size;
  }
  return payload;
}

function recordSize(file: Buffer, p: number): { size: number; head: number } {
  const first = file[p + 1];
  if (first < 0x80) return { size: first, head: 2 };
  const count = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  let size = first & (0x7f >> count);
  for (let i = 1; i < count; i++) size = size * 64 + (file[p + 1 + i] & 63);
  return { size, head: 1 + count };
}

function naiveLzfDecode(data: Buffer, out: Buffer): void {
  let to = 0;
  for (let at = 0; at < data.length; ) {
    const control = data[at++];
    if (control < 32) {
      for (let count = control + 1; count > 0; count--) out[to++] = data[at++];
      continue;
    }
    let length = control >> 5;
    if (length === 7) length += data[at++];
    let from = to - (((control & 31) << 8) + data[at++] + 1);
    for (length += 2; length > 0; length--) out[to++] = out[from++];
  }
}
