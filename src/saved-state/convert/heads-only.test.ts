import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileSink } from '../../../formats/files/sink.ts';
import { openFile } from '../../../formats/files/source.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import { createContainer } from '../../../formats/ssm/writing/create-container.ts';
import { convertFile } from '../../testing/convert-file.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { convert } from './convert.ts';
import { copyPayload } from './copy-payload.ts';

// Where heads suffice for the plan, the rest of the source is looked at only while it is written.

const plain = join(STATES_FOLDER, 'own-long.sav');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-heads-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a copy of a plain state, with a unit of a live pass after all others. */
async function withPassAtEnd(path: string): Promise<void> {
  const source = await openFile(plain);
  const container = await openContainer(source);
  const sink = await openFileSink(path);
  const { header } = container;
  const out = createContainer(sink, '2.0', { ...header, registeredUnits: header.registeredUnits ?? 0 });
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    out.beginUnit(unit);
    await copyPayload(container, out, false, () => {});
    out.endUnit();
  }
  out.beginUnit({ name: 'late', instance: 0, version: 1, pass: 3 });
  out.endUnit();
  await out.finish();
  container.release();
  await source.close();
  await sink.commit();
}

describe('convert()', () => {
  it('reads a plain state once to write it, and says the same of it as after two readings', async () => {
    const offsets = new Map<string, number>();
    const source = await openFile(plain);
    const sink = await openFileSink(join(folder, 'once.sav'));
    const report = await convert(source, sink, {
      pgm: 13,
      proof: false,
      onProgress: (doing, offset) => offsets.set(doing, offset),
    });
    await sink.abort();
    await source.close();
    expect([...offsets.keys()]).toEqual(['writing']);
    expect(report).toEqual({
      from: { container: '2.0', live: false, pgm: 14 },
      to: { container: '2.0', live: false, pgm: 13 },
      losses: [],
      assumptions: [],
    });
  });

  it('refuses a pass of a live save that comes where none can be, and leaves nothing behind', async () => {
    const path = join(folder, 'late.sav');
    await withPassAtEnd(path);
    const source = await openFile(path);
    await expect(convertFile(source, join(folder, 'out.sav'), { pgm: 13 })).rejects.toMatchObject({
      code: 'misplaced-pass',
      place: { unit: 'late' },
    });
    await source.close();
    expect(readdirSync(folder)).toEqual(['late.sav']);
  });
});
