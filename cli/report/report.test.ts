import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XMLValidator } from 'fast-xml-parser';
import { afterAll, describe, expect, it } from 'vitest';
import { failingDisk } from '../../formats/testing/failing-disk.ts';
import { qemuSample } from '../../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { sizeText } from '../terminal/size-text.ts';
import { runHere } from '../testing/run-here.ts';
import { PAGE_LOOKS, PageLooks } from './page-kinds.ts';
import { pagingSection } from './paging-section.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-report-'));
const state = join(STATES_FOLDER, 'own-long.sav');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The page of some files, checked to be well formed and to load nothing. */
async function pageOf(...files: string[]): Promise<string> {
  const output = join(folder, 'page.html');
  const { exitCode, stderr } = await runHere('report', ...files, '-o', output, '-f');
  expect([exitCode, stderr]).toEqual([0, '']);
  const page = readFileSync(output, 'utf8');
  for (const [svg] of page.matchAll(/<svg.*?<\/svg>/gs)) expect(XMLValidator.validate(svg), svg).toBe(true);
  expect(page).not.toMatch(/<script|<link|src="(?!data:)|href=|url\(|NaN|undefined|Infinity|\[object/);
  return page;
}

describe('the page of a state', () => {
  it('shows its map, its units and what its RAM holds', async () => {
    const page = await pageOf(state);
    for (const text of ['whole', 'Guest-physical memory, to scale', 'RAM by content', 'VirtualBox 7.2.22'])
      expect(page).toContain(text);
    // As many pages as the guest has RAM: 4 MiB.
    const bars = page.slice(page.indexOf('Pages of RAM by kind'));
    const shares = [...bars.matchAll(/, (\d+\.\d) %/g)].map(([, share]) => Number(share));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 0);
  });

  it('shows what the page tables map, by areas and by page', async () => {
    const page = await pageOf(state);
    expect(page).toContain('AMD64+NX paging, root at 0x10000; 2 areas');
    const { stdout } = await runHere('pagetable', state, '--runs', '--json');
    const runs: { virtual: string; size: number }[] = JSON.parse(stdout).files[0].result.runs;
    const isUpper = ({ virtual }: { virtual: string }) => virtual.length === 18;
    for (const half of [runs.filter(isUpper), runs.filter((run) => !isUpper(run))]) {
      const mapped = half.reduce((sum, { size }) => sum + size, 0);
      expect(page).toMatch(new RegExp(`<title>${half[0].virtual}–0x[0-9a-f]+: ${sizeText(mapped)} mapped<`));
    }
    const uses = page.slice(page.indexOf('Guest-physical memory by mapping'));
    expect(uses).toContain('<title>0x1000: open to user mode, executable</title>');
  });

  it('shows findings at their places in the file', async () => {
    const page = await pageOf(fileOf('cut.sav', readFileSync(state).subarray(0, 100_000)));
    expect(page).toContain('>damaged<');
    expect(page).toMatch(/<path d="M\d+[^>]*><title>Cannot trust footer/);
    expect(page).toContain('VERR_SSM_INTEGRITY_FOOTER');
    expect(page).toContain('the file is not whole');
  });

  it('shows a state of QEMU, and says of any file that is no state what it is', async () => {
    expect(await pageOf(fileOf('guest.state', qemuSample('long-10.state')))).toContain('no damage found');
    expect(await pageOf(fileOf('notes', 'hello\n'))).toContain('it is a text');
  });
});

describe('the page of results', () => {
  it('counts files by outcome, from events and from documents', async () => {
    const cut = fileOf('cut.sav', readFileSync(state).subarray(0, 100_000));
    for (const form of ['--ndjson', '--json']) {
      const { stdout } = await runHere('verify', state, cut, form);
      const page = await pageOf(fileOf('results', stdout));
      for (const text of ['2 files', 'whole', 'damaged', '7.2.22', '1, 50.0 %']) expect(page).toContain(text);
    }
  });

  it('shows the rounds of a migration', async () => {
    const round = { round: 0, pages: 10, bytes: 40_960, ms: 5, dirtied: 3, codecs: { raw: 10 }, verdict: 'pause' };
    const result = { action: 'migrate', machine: 'box', outcome: 'handed-over', because: '', bytes: 1, pages: 1 };
    const timed = { ...result, totalMs: 1500, downtimeMs: 12.5, downtime: { pages: 12 }, rounds: [round] };
    const page = await pageOf(fileOf('migration', `${JSON.stringify({ event: 'end', files: [{ result: timed }] })}\n`));
    for (const text of ['Migration of box', '12.5 ms', '1.5 s', '40 KiB', 'last pages']) expect(page).toContain(text);
  });

  it('is safe whatever stands in the results', async () => {
    const evil = '</title><script>alert(1)</script>"\'&\u202e\u0000';
    const event = { event: 'file', file: evil, outcome: evil, exitCode: 1, size: -1, error: { message: evil } };
    const rounds = [null, 7, { bytes: 'x', codecs: { [evil]: 1e308 } }];
    const migration = { files: [{ result: { action: 'migrate', machine: evil, rounds, downtime: [] } }] };
    const lines = [event, migration, { files: [null, 3] }].map((value) => JSON.stringify(value)).join('\n');
    const page = await pageOf(fileOf('evil', `${lines}\nno json\n`));
    expect(page).toContain('&lt;script&gt;');
    expect(page).not.toContain('\u202e');
  });
});

describe('a page of results without end', () => {
  const event = (i: number) => ({ event: 'file', file: `${i}`, outcome: `outcome ${i}`, exitCode: 0, result: {} });

  it('names no more outcomes, releases and rounds than can be seen, and counts all', async () => {
    const events = Array.from({ length: 300 }, (_, i) => event(i));
    const rounds = Array.from({ length: 150_000 }, () => ({ codecs: { raw: 1e308 } }));
    const migration = { files: [{ result: { action: 'migrate', machine: 'box', rounds } }] };
    const lines = [...events, migration].map((value) => JSON.stringify(value)).join('\n');
    const page = await pageOf(fileOf('many', `${lines}\n`));
    for (const text of ['300 files', 'outcome 63<', 'others', 'the first 1000 of 150000']) expect(page).toContain(text);
    expect(page).not.toContain('>outcome 64</text>');
    expect(page.length).toBeLessThan(2_000_000);
  });
});

describe('looks of pages', () => {
  it.each([
    ['zero', () => 0],
    ['sparse', (i: number) => (i % 64 === 0 ? 7 : 0)],
    ['text', (i: number) => 'what a page of text holds, '.charCodeAt(i % 27)],
    ['data', (i: number) => (i * 7) % 100],
    ['dense', (i: number) => (Math.imul(i ^ (i >>> 3), 2654435761) >>> 13) & 0xff],
  ])('tell %s, also in pieces of any size', async (kind, byteAt) => {
    const page = Uint8Array.from({ length: 4096 }, (_, i) => byteAt(i));
    const looks = new PageLooks();
    const all = Buffer.concat([page, page, page]);
    for (let at = 0; at < all.length; at += 1000) await looks.write(all.subarray(at, at + 1000));
    expect(looks.pages).toBe(3);
    expect(looks.census).toEqual(PAGE_LOOKS.map((each) => (each === kind ? 3 : 0)));
  });
});

it('fails where the disk does not give the map of virtual memory, and is made where a state has no such map', async () => {
  const bytes = readFileSync(state);
  const section = (lost: { start: number; end: number }[], length = bytes.length) =>
    pagingSection(failingDisk(bytes.subarray(0, length), lost).source, 4 * 1024 * 1024, AbortSignal.any([]), () => {});
  await expect(section([{ start: 5000, end: 5001 }])).rejects.toMatchObject({ code: 'EIO' });
  expect((await section([], 5000)).text).toBe('');
  expect((await section([])).text).toContain('Virtual memory of CPU 0');
});
