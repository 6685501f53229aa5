import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { world } from '../../formats/world/world.ts';
import { readRecord, writeRecord } from '../../migrations/hand-over/decision-record.ts';
import type { ProofReport } from '../../migrations/report/report.ts';
import type { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { offsetInChunk } from '../../src/gmm/page-id.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { askMachine } from '../control/control-client.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { FrameProxy } from '../testing/frame-proxy.ts';
import { savkitFile, savkitJson } from '../testing/savkit-json.ts';
import { testGround } from '../testing/test-ground.ts';

const { path, ending, start, keep } = testGround('migrate');
const ask = (socket: string, command: 'status' | 'check' | 'stop') =>
  askMachine(socket, { command }, () => {}, AbortSignal.timeout(60_000));
/** Runs a command in this process. */
async function here(...words: string[]): Promise<{ exitCode: number; result: Record<string, unknown>; error: string }> {
  const { exitCode, result, error } = await savkitFile<Record<string, unknown> | null>(...words);
  return { exitCode, result: result ?? {}, error: error?.message ?? '' };
}
const migrateArguments = (port: number) => [
  'migrate',
  path('vm.sock'),
  '--to',
  `127.0.0.1:${port}`,
  '--insecure',
  '--records',
  path('s'),
];

/** Keeps a machine with a control socket. @param pages number of its pages that have been written */
async function runningMachine(pages: number): Promise<{ kept: KeptMachine; running: RunningMachine }> {
  const running = RunningMachine.of(await emptyMachine(16 * MIB), { kind: 'random', rate: 100, patternSize: 4096 });
  running.runSteps(pages);
  running.resume();
  const kept: KeptMachine = { name: 'vm', running };
  await keep(kept, path('vm.sock'));
  return { kept, running };
}

describe('receive --seed', () => {
  it('takes pages that are still the same from an older state of the machine', async () => {
    const { kept, running } = await runningMachine(1500);
    const stepsBefore = running.guest.block.steps;
    await askMachine(
      path('vm.sock'),
      { command: 'save', path: path('old.sav') },
      () => {},
      AbortSignal.timeout(60_000),
    );
    running.runSteps(50);
    const target = start(
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--insecure',
      '--records',
      path('t'),
      '--seed',
      path('old.sav'),
      '--run-for',
      '0.2',
    );
    const { result, exitCode } = await start(...migrateArguments(await target.port())).ended;
    expect([exitCode, result.outcome, kept.movedTo]).toEqual([
      0,
      'handed-over',
      expect.stringMatching(/^127.0.0.1:\d+$/),
    ]);
    // 1500 steps have written some 1200 pages; only what was written since has to come, and in each round the page in
    // which the guest counts its steps.
    const rounds = result.rounds as { skipped: number }[];
    expect(rounds[0].skipped).toBeGreaterThan(800);
    expect(result.pages).toBeLessThanOrEqual(running.guest.block.steps - stepsBefore + rounds.length);
    const { workload } = (await target.ended).result as { workload: { steps: number; faults: number } };
    expect(workload.faults).toBe(0);
    expect(workload.steps).toBeGreaterThan(running.guest.block.steps);
    const { migrations } = (await savkitFile<{ migrations: object[] }>('history', '--records', path('s'))).result;
    const { downtimeMs, bytes, proof } = result as { downtimeMs: number; bytes: number; proof: { mode: string } };
    expect(migrations).toMatchObject([{ outcome: 'moved', report: { downtimeMs, bytes, proof: proof.mode } }]);
  });

  it('refuses a state of another machine, which runs on where it is', async () => {
    const { running } = await runningMachine(10);
    const other = 'test-vectors/states/own-pae.sav';
    const target = start('receive', '--listen', '127.0.0.1:0', '--insecure', '--records', path('t'), '--seed', other);
    const { error, exitCode } = await here(...migrateArguments(await target.port()));
    expect([exitCode, error]).toEqual([5, expect.stringContaining(`the seed ${other} has`)]);
    expect(running.state).toBe('running');
  });
});

describe('migrate --proof audited', () => {
  it('ends with 1, and keeps the machine as it was, when the tracking has lost a write after the audit', async () => {
    const { running } = await runningMachine(100);
    const { memory } = running.machine;
    const lost = 0x700000;
    memory.write(lost, Uint8Array.of(1));
    const hold = running.hold.bind(running);
    // Changes a byte while the machine stands still, past everything that watches its pages.
    running.hold = () => {
      hold();
      const range = memory.ranges.get(lost);
      const id = range.pageId[(lost - range.start) / PAGE_SIZE];
      memory.pages.backing.chunkBytes(id)[offsetInChunk(id)] = 2;
    };
    const target = start(
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--insecure',
      '--records',
      path('t'),
      '--run-for',
      '0.1',
    );
    const { exitCode, result } = await start(...migrateArguments(await target.port()), '--proof', 'audited').ended;
    const { afterwards } = result.proof as ProofReport;
    expect([exitCode, result.outcome, afterwards?.lost]).toEqual([1, 'handed-over', ['RAM page at 0x700000']]);
    const { files } = await savkitJson('peek', afterwards?.keptIn ?? '', '--at', '0x700000', '--len', '1');
    expect(JSON.stringify(files[0].result)).toContain('"hex":"02"');
  });
});

describe('migrate --change', () => {
  it('changes limits of a migration while it runs', async () => {
    await runningMachine(2000);
    const target = start(
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--insecure',
      '--records',
      path('t'),
      '--run-for',
      '0.1',
    );
    const migration = start(...migrateArguments(await target.port()), '--bandwidth', '20K', '--compression', 'never');
    await migration.event('connected');
    // At this pace it would take longer than a test may.
    const changed = await here('migrate', path('vm.sock'), '--change', '--bandwidth', '1G', '--max-downtime', '500');
    expect(changed.result).toMatchObject({
      action: 'change',
      limits: { bandwidth: 2 ** 30, maxDowntimeMs: 500, onTimeLimit: 'cancel' },
    });
    const { result } = await migration.ended;
    expect(result.outcome).toBe('handed-over');
  });

  it('says that nothing is being migrated when that is so', async () => {
    await runningMachine(1);
    const { exitCode, error } = await here('migrate', path('vm.sock'), '--change', '--bandwidth', '1G');
    expect([exitCode, error]).toEqual([2, 'Cannot change limits: the machine is not being migrated']);
  });
});

describe('migrate', () => {
  const slowly = ['--bandwidth', '100K', '--compression', 'never'];

  it('says where the machine is when it is cancelled', async () => {
    const { running } = await runningMachine(500);
    const target = start('receive', '--listen', '127.0.0.1:0', '--insecure', '--records', path('t'));
    const migration = start(...migrateArguments(await target.port()), ...slowly);
    await migration.event('connected');
    migration.child.kill('SIGINT');
    expect((await migration.ended).exitCode).toBe(130);
    expect(await migration.event('cancelled')).toMatchObject({ decision: 'kept' });
    expect(running.state).toBe('running');
    expect((await target.ended).exitCode).toBe(4);
  });

  it('tells what the record says when the process of the machine ends', async () => {
    const source = start(
      'run',
      '--ram',
      '4M',
      '--workload',
      'random',
      '--rate',
      '3000',
      '--bytes',
      '4096',
      '--socket',
      path('vm.sock'),
    );
    const target = start('receive', '--listen', '127.0.0.1:0', '--insecure', '--records', path('t'));
    const port = await target.port();
    await source.event('running');
    const migration = start(...migrateArguments(port), ...slowly);
    await migration.event('connected');
    source.child.kill('SIGKILL');
    const { exitCode, result } = await migration.ended;
    expect([exitCode, result.action, result.survivor]).toEqual([3, 'resolve', 'source']);
  });

  it('refuses a key that is not that of the certificate', async () => {
    const certificates = [
      '--cert',
      'test-vectors/tls/source.pem',
      '--key',
      'test-vectors/tls/target.key',
      '--ca',
      'test-vectors/tls/authority.pem',
    ];
    const { running } = await runningMachine(1);
    const { exitCode, error } = await here('migrate', path('vm.sock'), '--to', '127.0.0.1:1', ...certificates);
    expect([exitCode, error]).toEqual([
      2,
      expect.stringContaining('Cannot use test-vectors/tls/source.pem with test-vectors/tls/target.key'),
    ]);
    expect(running.state).toBe('running');
  });
});

describe('migrate --resolve', () => {
  /**
   * Migrates over a link that is cut for ever when the source has written its decision, before the target hears of it.
   */
  async function cutAtCommit(): Promise<{
    running: RunningMachine;
    target: SavkitProcess;
    migration: SavkitProcess;
    records: [string, string];
  }> {
    const { running } = await runningMachine(100);
    const target = start(
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--insecure',
      '--records',
      path('t'),
      '--control',
      path('there.sock'),
    );
    const proxy = await FrameProxy.open(await target.port(), true);
    ending.push(() => proxy.close());
    const isCut = new Promise<void>((resolve) => {
      proxy.strike = {
        at: 'source commit 1',
        where: 'before',
        act: () => {
          proxy.cut(true);
          resolve();
        },
      };
    });
    const migration = start(...migrateArguments(proxy.port));
    await isCut;
    await target.event('link-lost');
    const records = (['s', 't'] as const).map((side) =>
      join(path(side), readdirSync(path(side)).find((name) => name.endsWith('.json')) ?? ''),
    ) as [string, string];
    expect(await decisions(records)).toEqual(['handed-over', 'ready']);
    expect(await ask(path('vm.sock'), 'status')).toMatchObject({ state: 'suspended' });
    return { running, target, migration, records };
  }
  const decisions = (records: string[]) =>
    Promise.all(records.map(async (record) => (await readRecord(record)).decision));

  it('has a target that waits run the machine', async () => {
    const { running, target, migration, records } = await cutAtCommit();
    const { result, exitCode } = await here('migrate', '--resolve', records[0], '--peer-record', records[1]);
    expect([exitCode, result.survivor]).toEqual([0, 'target']);
    await target.event('control');
    expect(await ask(path('there.sock'), 'check')).toMatchObject({ faults: [] });
    expect((await migration.ended).result.outcome).toBe('handed-over');
    expect(await decisions(records)).toEqual(['done', 'started']);
    expect(() => running.resume()).toThrow('it was handed over');
  });

  it('writes nothing while the source still migrates', async () => {
    const record = {
      format: 'savkit-migration/1' as const,
      migration: 'ab'.repeat(16),
      machine: 'vm',
      peer: '',
      pid: process.pid,
      place: world.process.place(),
      attempt: 1,
      at: 1,
    };
    const records = [path('source.json'), path('target.json')];
    await writeRecord(records[0], { ...record, side: 'source', decision: 'migrating' });
    await writeRecord(records[1], { ...record, side: 'target', decision: 'ready' });
    const { result, exitCode } = await here('migrate', '--resolve', records[0], '--peer-record', records[1]);
    expect([exitCode, result.survivor, result.written]).toEqual([3, 'source', []]);
    expect(await decisions(records)).toEqual(['migrating', 'ready']);
  });

  it('has the source go on when the target was killed', async () => {
    const { running, target, migration, records } = await cutAtCommit();
    target.child.kill('SIGKILL');
    await target.ended;
    // One record alone is not enough to tell.
    const alone = await here('migrate', '--resolve', records[0]);
    expect([alone.exitCode, alone.result.survivor]).toEqual([3, 'undecided']);
    const { result, exitCode } = await here('migrate', '--resolve', records[0], '--peer-record', records[1]);
    expect([exitCode, result.survivor]).toEqual([0, 'source']);
    expect((await migration.ended).result.outcome).toBe('kept');
    expect(await decisions(records)).toEqual(['kept', 'gave-up']);
    expect([running.state, running.selfCheck().faults]).toEqual(['running', []]);
  });
});
