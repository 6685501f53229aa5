import { afterEach, describe, expect, it } from 'vitest';
import { EnvironmentError } from '../errors.ts';
import { Random } from '../testing/random.ts';
import { type DiskWork, SimulatedDisk } from '../testing/simulated-disk.ts';
import { SimulatedFiles } from '../testing/simulated-files.ts';
import { enterWorld, REAL_WORLD } from '../world/world.ts';
import { writeFileSink } from './sink.ts';

const OLD = Buffer.from('the old file');
const NEW = Buffer.from('the new one, in several writes'.repeat(100));
const PLACE = '/out/file.sav';

/** Writes a file over another one, or a new one, on a disk that does as `fault` says. */
async function writeOver(isThere: boolean, fault: (count: number, work: DiskWork) => string | undefined) {
  const files = new SimulatedFiles();
  files.folders.add('/out');
  if (isThere) {
    const old = files.create(PLACE);
    old.write(OLD, 0);
    old.sync();
    files.syncFolder('/out');
  }
  let count = 0;
  const { disk } = new SimulatedDisk(files, {
    date: () => 0,
    fault: (work) => fault(++count, work),
    later: async (work) => work(),
  });
  enterWorld({ ...REAL_WORLD, disk });
  const error = await writeFileSink(PLACE, { force: isThere }, async (sink) => {
    for (let at = 0; at < NEW.length; at += 700) await sink.write(NEW.subarray(at, at + 700));
    await sink.writeAt(NEW.subarray(0, 10), 0);
  }).catch((caught) => caught as Error);
  enterWorld(REAL_WORLD);
  return { files, error, count, there: () => files.names.get(PLACE)?.bytes };
}

/** Expects a file to be as it was before, or as it has to be. */
function expectWhole(there: Buffer | undefined, isThere: boolean, when: string): void {
  const allowed = [NEW, ...(isThere ? [OLD] : [])];
  if (there === undefined) expect(isThere, when).toBe(false);
  else
    expect(
      allowed.some((bytes) => bytes.equals(there)),
      `${when}: ${there.length} bytes`,
    ).toBe(true);
}

describe.each([true, false])('an output file (over another one: %s)', (isThere) => {
  afterEach(() => void enterWorld(REAL_WORLD));

  it.each(['EIO', 'ENOSPC'])('is whole or not there whichever work of the disk fails (%s)', async (code) => {
    const { count, there } = await writeOver(isThere, () => undefined);
    expect(there()).toEqual(NEW);
    for (let at = 1; at <= count; at++) {
      let failed: DiskWork | undefined;
      const result = await writeOver(isThere, (now, work) => {
        if (now !== at) return undefined;
        failed = work;
        return code;
      });
      const when = `${failed} at work ${at}`;
      // A write that is said to have failed has changed nothing.
      expect(result.there(), when).toEqual(result.error === undefined ? NEW : isThere ? OLD : undefined);
      // Failures are told, but for those of removing or checking a name that is gone by then.
      if (failed !== 'unlink' && failed !== 'link') expect(result.error, when).toBeInstanceOf(EnvironmentError);
      if (failed !== 'unlink') expect([...result.files.names.keys()], when).not.toContainEqual(/\.part$/);
    }
  });

  it('is whole or not there whichever work is the last before the host crashes', async () => {
    const { count } = await writeOver(isThere, () => undefined);
    for (let at = 1; at <= count + 1; at++) {
      for (let seed = 0; seed < 12; seed++) {
        const { files, there, error } = await writeOver(isThere, (now) => (now >= at ? 'EIO' : undefined));
        files.crash(new Random(seed));
        expectWhole(there(), isThere, `crash at work ${at}`);
        if (error === undefined) expect(there(), 'after all was said to be done').toEqual(NEW);
      }
    }
  });
});
