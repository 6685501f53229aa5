import { Readable } from 'node:stream';
import { type FormatError, type OnDamage, SavkitError } from '../errors.ts';
import { type ByteSource, bufferSource, streamSource } from '../files/source.ts';
import { openContainer } from '../ssm/open.ts';
import { PayloadReader } from '../ssm/payload.ts';

/** Units and payloads, read strictly, with every block decompressed. @throws SavkitError */
export async function readStrictly(source: ByteSource): Promise<{ name: string; payload: Buffer }[]> {
  const container = await openContainer(source);
  try {
    const units = [];
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      const payload = new PayloadReader(container);
      // The unit `mm` is one that a handler reads: 16 bytes and not one more.
      if (unit.name === 'mm') {
        const bytes = await payload.parse((cursor) => Buffer.from(cursor.view(16)));
        await payload.expectEnd();
        units.push({ name: unit.name, payload: bytes });
      } else {
        units.push({ name: unit.name, payload: Buffer.from(await payload.rest(1 << 27)) });
      }
    }
    return units;
  } finally {
    container.release();
  }
}

/** Units that come through although others are damaged, and what was found. */
export async function readTolerantly(
  source: ByteSource,
): Promise<{ good: string[]; all: string[]; errors: FormatError[] }> {
  const errors: FormatError[] = [];
  let findings = 0;
  const onDamage: OnDamage = (error) => {
    errors.push(error);
    findings++;
  };
  const container = await openContainer(source, onDamage);
  const all: string[] = [];
  const good: string[] = [];
  for (;;) {
    const before = findings;
    try {
      const unit = await container.nextUnit();
      if (!unit) break;
      all.push(unit.name);
      await new PayloadReader(container).drain();
      if (findings === before) good.push(unit.name);
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      errors.push(error as FormatError);
      if (!(await container.resync())) break;
    }
  }
  container.release();
  return { good, all, errors };
}

/** The same bytes as a file, and as a pipe in small chunks. */
export function sourcesOf(bytes: Uint8Array): [string, ByteSource][] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 1000) chunks.push(Buffer.from(bytes.subarray(at, at + 1000)));
  return [
    ['a file', bufferSource(bytes)],
    ['a pipe', streamSource(Readable.from(chunks))],
  ];
}
