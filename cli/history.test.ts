import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { world } from '../formats/world/world.ts';
import { type Decision, type MigrationSide, recordPath, writeRecord } from '../migrations/hand-over/decision-record.ts';
import { keepReport } from '../migrations/report/kept-report.ts';
import type { MigrationReport } from '../migrations/report/report.ts';
import type { ReportedMigration } from './migration/reported-figures.ts';
import { runHere } from './testing/run-here.ts';
import { expectSchema } from './testing/savkit-json.ts';

let folder = '';
const folders: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-history-'));
  folders.push(folder);
});
afterAll(() => {
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});

/** Higher than any process number on Linux. */
const NO_PID = 2 ** 30;

function write(id: number, side: MigrationSide, decision: Decision, { at = id, pid = NO_PID, machine = 'box' } = {}) {
  const migration = idOf(id);
  const head = { format: 'savkit-migration/1', side, migration, decision, machine, peer: `peer${id}` } as const;
  return writeRecord(recordPath(folder, migration, side), {
    ...head,
    pid,
    place: world.process.place(),
    attempt: 1,
    at,
  });
}

const idOf = (id: number) => id.toString(16).padStart(32, '0');

/** The report of a migration that was given up. */
const REPORT: MigrationReport = {
  migration: idOf(1),
  machine: 'box',
  outcome: 'kept',
  because: 'the time limit of 5 s is over',
  stays: 'as-it-was',
  code: 'time-limit',
  pages: 10,
  bytes: 4096,
  totalMs: 5000,
  downtimeMs: 0,
  stops: 0,
  downtime: { stop: 0, pages: 0, hash: 0, rest: 0, ready: 0, decision: 0, start: 0 },
  paused: false,
  inFile: false,
  attempts: 1,
  streams: 1,
  rounds: [],
};
const PROOF = { mode: 'full', root: '00', pages: 10, ms: 5, lost: [], lostPages: 0, afterwards: null } as const;

async function history(...words: string[]) {
  const { stdout, exitCode } = await runHere('history', '--records', folder, '--json', ...words);
  const document = JSON.parse(stdout);
  expectSchema(document);
  const { migrations } = document.files[0].result as { migrations: ReportedMigration[] };
  const reports = migrations.map(({ report }) => report);
  return {
    exitCode,
    reports,
    outcomes: migrations.map(({ outcome }) => outcome),
    findings: document.files[0].findings,
  };
}

describe('savkit history', () => {
  it('tells a user without a home to name a folder', async () => {
    vi.stubEnv('XDG_STATE_HOME', undefined);
    vi.stubEnv('HOME', '');
    const { stderr, exitCode } = await runHere('history').finally(() => vi.unstubAllEnvs());
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('set HOME or XDG_STATE_HOME')]);
  });

  it.each([-62_135_596_800_000, -1, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])(
    'reads a record that was written when the clock stood at %d ms',
    async (at) => {
      await write(1, 'source', 'done', { at });
      expect(await history()).toMatchObject({ exitCode: 0, outcomes: ['moved'], findings: [] });
    },
  );

  it.each([
    ['moved', 'source', 'done'],
    ['stayed', 'source', 'kept'],
    ['arrived', 'target', 'started'],
    ['not arrived', 'target', 'gave-up'],
  ] as const)('tells that a machine has %s', async (outcome, side, decision) => {
    await write(1, side, decision);
    expect(await history()).toMatchObject({ exitCode: 0, outcomes: [outcome] });
  });

  it.each([
    ['source', 'migrating'],
    ['source', 'handed-over'],
    ['target', 'receiving'],
    ['target', 'ready'],
  ] as const)('tells one that is under way from one that broke: %s %s', async (side, decision) => {
    await write(1, side, decision, { pid: process.pid });
    expect(await history()).toMatchObject({ exitCode: 0, outcomes: ['open'] });
    await write(1, side, decision);
    expect(await history()).toMatchObject({ exitCode: 3, outcomes: ['unsettled'] });
    expect((await runHere('history', '--records', folder)).stdout).toContain(`migrate --resolve ${folder}`);
  });

  it('lists both sides as one migration, the last one first, and chooses', async () => {
    await write(1, 'source', 'done');
    await write(1, 'target', 'started');
    await write(2, 'source', 'kept', { machine: 'other' });
    await write(3, 'target', 'ready');
    expect((await history()).outcomes).toEqual(['unsettled', 'stayed', 'moved']);
    expect((await history('--open')).outcomes).toEqual(['unsettled']);
    expect((await history('--machine', 'other')).outcomes).toEqual(['stayed']);
  });

  it('passes over files that are no records, and takes a missing folder for an empty one', async () => {
    await write(1, 'source', 'done', { at: Number.MAX_SAFE_INTEGER });
    writeFileSync(join(folder, `${'a'.repeat(32)}.source.json`), '{');
    writeFileSync(join(folder, 'notes'), '');
    expect(await history()).toMatchObject({ exitCode: 3, outcomes: ['moved'], findings: [{ code: 'bad-record' }] });
    folder = join(folder, 'none');
    expect(await history()).toMatchObject({ exitCode: 0, outcomes: [] });
  });

  it('tells how long the machine stood still, its proof, and why it stayed, as the kept report says', async () => {
    await write(1, 'source', 'kept');
    await write(2, 'source', 'done', { machine: 'other' });
    await keepReport(folder, REPORT);
    const moved = { migration: idOf(2), outcome: 'handed-over', because: '', stays: null, code: null } as const;
    await keepReport(folder, { ...REPORT, ...moved, downtimeMs: 42, proof: { ...PROOF, lost: [] } });
    const { exitCode, reports } = await history();
    expect([exitCode, reports]).toEqual([
      0,
      [
        expect.objectContaining({ downtimeMs: 42, proof: 'full', because: '', lostPages: 0 }),
        expect.objectContaining({ downtimeMs: 0, proof: null, code: 'time-limit', stays: 'as-it-was' }),
      ],
    ]);
    const { stdout } = await runHere('history', '--records', folder);
    expect(stdout).toMatch(/other .* 42 ms .*full/);
    expect(stdout).toMatch(/box, .*: the time limit of 5 s is over/);
  });

  it.each([
    ['cut', '{"migration"'],
    ['of another migration', JSON.stringify({ ...REPORT, migration: idOf(7) })],
    ['of other values', JSON.stringify({ ...REPORT, downtimeMs: 'long' })],
  ])('takes no report that is %s', async (_, text) => {
    await write(1, 'source', 'done');
    writeFileSync(join(folder, `${idOf(1)}.report.json`), text);
    expect(await history()).toMatchObject({ exitCode: 0, reports: [null], findings: [] });
  });
});
