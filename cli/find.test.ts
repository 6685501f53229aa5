import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { runSavkit } from './testing/run-savkit.ts';
import { savkitJson } from './testing/savkit-json.ts';

const state = join(STATES_FOLDER, 'own-pae.sav');
const folder = mkdtempSync(join(tmpdir(), 'savkit-find-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Found {
  found: { at: string; length: number; before: string; hex: string; after: string }[];
  complete: boolean;
}

describe('savkit find', () => {
  it('tells each place once, with what stands around it', async () => {
    const { files } = await savkitJson<Found>('find', state, '--text', 'OWN-ROM', '--context', '4', '--range', '0+1M');
    const hex = (text: string) => Buffer.from(text).toString('hex');
    expect(files[0].result.found[0]).toEqual({
      at: '0x100f',
      length: 7,
      before: hex('KIT '),
      hex: hex('OWN-ROM'),
      after: hex(' PAE'),
    });
    expect(files[0].result.found.map(({ at }) => at)).toEqual(['0x100f', '0xf005d']);
  });

  it('says that there may be more, and that there is nothing', async () => {
    const few = await savkitJson<Found>('find', state, '--regex', 'OWN-R.M', '--max', '1');
    expect([few.exitCode, few.files[0].result.complete]).toEqual([3, false]);
    const none = await savkitJson<Found>('find', state, '--utf16', 'OWN-ROM');
    expect([none.exitCode, none.files[0].result]).toMatchObject([0, { found: [], complete: true }]);
  });

  it.each([
    [[]],
    [['--text', 'a', '--hex', '61']],
    [['--hex', 'xyz']],
    [['--regex', '(']],
    [['--text', 'a', '--max', '0']],
    [['--text', 'a', '--context', '-1']],
  ])('refuses %j', async (options) => {
    expect((await runHere('find', state, ...options)).exitCode).toBe(2);
  });

  it('leaves nothing behind', async () => {
    await runSavkit(['find', state, '--text', 'a', '--max', '5'], { env: { TMPDIR: folder } });
    expect(readdirSync(folder)).toEqual([]);
  });
});
