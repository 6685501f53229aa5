import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { PageSet } from '../../machine/page-set.ts';
import { compilerThatMakes } from '../../testing/fake-compiler.ts';
import { WriteWatch } from './write-watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-watch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/**
 * Pages of the writer: so many that every other one of them makes more than 512 runs, which the kernel reports in
 * parts.
 */
const PAGES = 5000;
/** Prints the address of its memory, then writes to each page whose number it reads; for -N to every Nth page. */
const WRITER = `
#include <stdio.h>
#include <sys/mman.h>
int main(void) {
  char *memory = mmap(0, ${PAGES} * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  printf("%p\\n", memory);
  fflush(stdout);
  for (int page; scanf("%d", &page) == 1; fflush(stdout)) {
    if (page >= 0) memory[page * 4096 + 9]++;
    else for (int each = 0; each < ${PAGES}; each -= page) memory[each * 4096 + 9]++;
    puts("written");
  }
  return 0;
}`;

/** The program's reason why writes cannot be noted with this kernel, as this user, on this host; empty if they can. */
async function whyNot(): Promise<string> {
  if (process.platform !== 'linux') return 'no Linux';
  const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    const [from, to] = (/^([0-9a-f]+)-([0-9a-f]+) rw/m.exec(readFileSync(`/proc/${sleeper.pid}/maps`, 'utf8')) ?? [])
      .slice(1)
      .map((text) => Number.parseInt(text, 16));
    const watch = await WriteWatch.start(sleeper.pid ?? 0, [{ address: from, pages: (to - from) / 4096 }]);
    watch.close();
    return '';
  } catch (error) {
    return (error as Error).message;
  } finally {
    sleeper.kill('SIGKILL');
  }
}
const why = await whyNot();

describe.skipIf(why !== '')('WriteWatch', () => {
  /** Starts another process, which writes when told. `use` gets the address of its memory. */
  async function withWriter(
    use: (pid: number, address: number, write: (page: number) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const program = join(folder, 'writer');
    writeFileSync(`${program}.c`, WRITER);
    execFileSync('cc', ['-o', program, `${program}.c`]);
    const writer = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = writer.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
    const hear = async () => String((await lines.next()).value).trim();
    try {
      await use(writer.pid ?? 0, Number.parseInt(await hear(), 16), async (page) => {
        writer.stdin.write(`${page}\n`);
        expect(await hear()).toBe('written');
      });
      writer.stdin.end();
    } finally {
      writer.kill('SIGKILL');
    }
  }

  async function takenOf(watch: WriteWatch, count: number): Promise<number[]> {
    const pages = new PageSet(count);
    await watch.take(pages);
    return Array.from({ length: count }, (_, page) => page).filter((page) => pages.has(page));
  }

  it(
    'tells which pages of another process were written since it was asked last, and leaves nothing there',
    () =>
      withWriter(async (pid, address, write) => {
        await write(3);
        // Two pieces in another order than they stand in: pages 20 to 39 count from 0, 0 to 19 from 20.
        const pieces = [
          { address: address + 20 * 4096, pages: 20 },
          { address, pages: 20 },
        ];
        const watch = await WriteWatch.start(pid, pieces);
        expect(await takenOf(watch, 40)).toEqual([]);
        for (const page of [0, 1, 3, 21, 39]) await write(page);
        expect(await takenOf(watch, 40)).toEqual([1, 19, 20, 21, 23]);
        await write(0);
        expect(await takenOf(watch, 40)).toEqual([20]);
        watch.close();
        await write(7);
        // The first watch has let go of the process's memory: another one can begin.
        await vi.waitUntil(
          () =>
            WriteWatch.start(pid, pieces).then(
              () => true,
              () => false,
            ),
          { timeout: 30_000 },
        );
        await write(8);
      }),
    60_000,
  );

  it(
    'tells all written pages where they are strewn over memory',
    () =>
      withWriter(async (pid, address, write) => {
        const watch = await WriteWatch.start(pid, [{ address, pages: PAGES }]);
        for (const step of [2, 3, 7]) {
          await write(-step);
          expect(await takenOf(watch, PAGES)).toEqual(
            Array.from({ length: Math.ceil(PAGES / step) }, (_, i) => i * step),
          );
          expect(await takenOf(watch, PAGES)).toEqual([]);
        }
        watch.close();
      }),
    60_000,
  );

  it('says why where writes cannot be noted', async () => {
    const start = (pid: number, address = 4096) => WriteWatch.start(pid, [{ address, pages: 1 }]);
    const refusal = (words: RegExp) => ({ code: 'no-write-watch', message: expect.stringMatching(words) });
    await expect(start(0x7fff_fff0)).rejects.toMatchObject(refusal(/Cannot look into the process/));
    const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' });
    await expect(start(sleeper.pid ?? 0)).rejects.toMatchObject(refusal(/can't note writes to this memory/));
    sleeper.kill('SIGKILL');
  });
});

describe.skipIf(process.platform !== 'linux')('WriteWatch without what it needs', () => {
  it('says that there is no compiler, or gives its words', async () => {
    vi.stubEnv('CC', '/no/such/cc');
    await expect(WriteWatch.start(1, [])).rejects.toMatchObject({
      code: 'no-write-watch',
      message: expect.stringMatching(/no C compiler/),
    });
    vi.stubEnv('CC', 'false');
    await expect(WriteWatch.start(1, [])).rejects.toMatchObject({
      code: 'no-write-watch',
      message: expect.stringMatching(/compiler says/),
    });
  });

  it.each([
    ['ends before a word', 'exit 1', /has ended/],
    [
      'fails in a scan',
      'echo ok; head -c 1 >/dev/null; printf "\\\\377\\\\377\\\\377\\\\377\\\\003\\\\0\\\\0\\\\0"',
      /error 3/,
    ],
    ['ends in the midst of a scan', 'echo ok; head -c 1 >/dev/null; printf 123', /has ended/],
  ])('does not go by a program that %s', async (_what, script, message) => {
    vi.stubEnv('CC', compilerThatMakes(join(folder, 'cc'), script));
    const use = async () => (await WriteWatch.start(1, [])).take(new PageSet(8));
    await expect(use()).rejects.toMatchObject({ code: 'no-write-watch', message: expect.stringMatching(message) });
  });
});
