import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { world } from '../formats/world/world.ts';
import { type Decision, type MigrationSide, recordPath, writeRecord } from '../migrations/hand-over/decision-record.ts';
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

/** More than Linux gives. */
const NO_PID = 2 ** 30;

function write(id: number, side: MigrationSide, decision: Decision, { at = id, pid = NO_PID, machine = 'box' } = {}) {
  const migration = id.toString(16).padStart(32, '0');
  const head = { format: 'savkit-migration/1', side, migration, decision, machine, peer: `peer${id}` } as const;
  return writeRecord(recordPath(folder, migration, side), {
    ...head,
    pid,
    place: world.process.place(),
    attempt: 1,
    at,
  });
}

async function history(...words: string[]) {
  const { stdout, exitCode } = await runHere('history', '--records', folder, '--json', ...words);
  const document = JSON.parse(stdout);
  expectSchema(document);
  const { migrations } = document.files[0].result as { migrations: { machine: string; outcome: string }[] };
  return { exitCode, outcomes: migrations.map(({ outcome }) => outcome), findings: document.files[0].findings };
}

describe('savkit history', () => {
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

  it('goes on over records that are none, and takes a folder that is not there for an empty one', async () => {
    await write(1, 'source', 'done', { at: Number.MAX_SAFE_INTEGER });
    writeFileSync(join(folder, `${'a'.repeat(32)}.source.json`), '{');
    writeFileSync(join(folder, 'notes'), '');
    expect(await history()).toMatchObject({ exitCode: 3, outcomes: ['moved'], findings: [{ code: 'bad-record' }] });
    folder = join(folder, 'none');
    expect(await history()).toMatchObject({ exitCode: 0, outcomes: [] });
  });
});
