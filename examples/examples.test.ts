import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openFile } from '../formats/files/source.ts';
import { walkState } from '../src/saved-state/reading/walk.ts';
import { ProgramProcess } from '../src/testing/program-process.ts';
import { qemuSample, qemuTruth } from '../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'savkit-examples-'));
const state = join(STATES_FOLDER, 'own-pae.sav');
const programs = readdirSync(here).filter((name) => name.endsWith('.js'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const programProcess = new ProgramProcess();

/** The output of a program. */
async function run(name: string, ...args: string[]): Promise<string> {
  const { ok, output } = await programProcess.run(join(here, name), ...args);
  expect(ok, output).toBe(true);
  return output;
}

/** Checks of each program's output, which only a program that works passes. */
const CHECKS: Record<string, () => Promise<void>> = {
  async 'read-state.js'() {
    expect(await run('read-state.js', state)).toMatch(
      /^V2\.0 by VirtualBox [^\n]*: whole\nunit SSM\/0 [\s\S]*\n0x0 to 0x[0-9a-f]+: ram /,
    );
    const name = 'long-10.state';
    const path = join(folder, name);
    const bytes = qemuSample(name);
    const { sections, blocks } = qemuTruth(name);
    writeFileSync(path, bytes);
    const printed = await run('read-state.js', path);
    expect(printed).toMatch(/^[^\n]* of QEMU, [^\n]*: no-damage-found\n/);
    for (const each of sections)
      expect(printed).toContain(`section ${each.name}/${each.instance} version ${each.version}\n`);
    const ram = blocks.find((block) => block.name === 'pc.ram');
    expect(printed).toContain(`0x0 to 0x${ram?.size.toString(16)}: ram pc.ram\n`);
    writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
    expect(await run('read-state.js', path)).toMatch(/: damaged\ntruncated: /);
  },
  async 'walk-pages.js'() {
    const { pgm } = await readBy(state);
    const kinds = pgm?.passes[0].records ?? [];
    const printed = (await run('walk-pages.js', state)).matchAll(/^[A-Z0-9_]+: (\d+)$/gm);
    expect(Array.from(printed, ([, count]) => Number(count))).toEqual([...kinds]);
  },
  async 'find-bytes.js'() {
    const marked = join(folder, 'marked.sav');
    const text = 'nowhere else';
    expect(await run('find-bytes.js', state, text)).toBe('0 found\n');
    await run('change-bytes.js', state, marked, '0x1ffa', Buffer.from(text).toString('hex'));
    expect(await run('find-bytes.js', marked, text)).toMatch(/^0x1ffa {2}[0-9a-f]+\n1 found\n$/);
  },
  async 'change-bytes.js'() {
    const result = join(folder, 'changed.sav');
    expect(await run('change-bytes.js', state, result, '0x1ffe', 'deadbeef')).toBe(
      'nothing differs but 2 pages that were written\n',
    );
  },
  async 'watch-writes.js'() {
    const [, calls, pages] = /called (\d+) times\n(\d+) pages written/.exec(await run('watch-writes.js')) ?? [];
    expect(Number(calls)).toBeGreaterThan(0);
    expect(Number(pages)).toBeGreaterThan(10);
  },
  async 'save-live.js'() {
    expect(await run('save-live.js', join(folder, 'live.sav'))).toMatch(/pass 0: \d+ pages[\s\S]*\nwhole\n$/);
  },
  async 'migrate.js'() {
    expect(await run('migrate.js')).toMatch(/^handed-over after[\s\S]*\n[1-9]\d* pages compared, 0 of them wrong\n$/);
  },
  async 'read-unit.js'() {
    expect(await run('read-unit.js', state, 'mm')).toMatch(/^mm\/1 version 2, pass final: 16 bytes\n[0-9a-f]{32}\n$/);
  },
  async 'add-unit-codec.js'() {
    expect(await run('add-unit-codec.js', state)).toMatch(/i8254\/0: { portBase: 64, irq: 0, speaker: \w+ }\nCPUs: \d/);
  },
};

async function readBy(path: string) {
  const source = await openFile(path);
  try {
    return await walkState(source);
  } finally {
    await source.close();
  }
}

describe('examples', () => {
  it.each(programs)('%s prints a right result', async (name) => {
    await CHECKS[name]();
  });

  it('leave nothing open, and say nothing on stderr', async () => {
    expect(await programProcess.end()).toEqual({ exitCode: 0, stderr: '' });
  });

  it('are all told of in the README of their folder', () => {
    const told = [...readFileSync(join(here, 'README.md'), 'utf8').matchAll(/\]\(([\w-]+\.js)\)/g)].map(
      ([, name]) => name,
    );
    expect(told.sort()).toEqual(programs);
  });
});
