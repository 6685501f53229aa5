import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { EnvironmentError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { world } from '../../formats/world/world.ts';
import { type Decision, type MigrationSide, writeRecord } from '../../migrations/hand-over/decision-record.ts';
import { MIGRATION_CODES } from '../../migrations/wire/migration-error.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { runHere } from '../testing/run-here.ts';
import { expectSchema } from '../testing/savkit-json.ts';
import { testGround } from '../testing/test-ground.ts';
import { Drain } from './drain.ts';
import { DrainJournal } from './drain-journal.ts';
import { fateOf } from './fate.ts';
import { findMachines } from './find-machines.ts';
import { readPlan } from './plan.ts';
import { consequenceOf } from './reasons.ts';
import { DrainTarget } from './targets.ts';

const { folder, path, start, keep } = testGround('drain');

/** A machine of this process with a control socket in the folder of machines. */
async function keepMachine(name: string): Promise<KeptMachine> {
  const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'random', rate: 500 });
  running.runSteps(100);
  running.resume();
  const kept: KeptMachine = { name, running };
  await keep(kept, path('vms', `${name}.sock`));
  return kept;
}

async function startTarget(name: string, ...options: string[]): Promise<string> {
  const words = ['--control', path(name), '--records', path(`${name}-records`), '--insecure', '--keep'];
  return `127.0.0.1:${await start('receive', '--listen', '127.0.0.1:0', ...words, ...options).port()}`;
}

const drain = (to: readonly string[], ...words: string[]) => {
  const targets = to.flatMap((each) => ['--to', each]);
  return start('drain', ...words, ...targets, '--insecure', '--records', path('records'));
};

interface Result {
  machines: { name: string; outcome: string; to: string | null; because: string; code: string | null }[];
  targets: { because: string | null }[];
  moves: { name: string; to: string | null; forecast: { isPossible: boolean } }[];
  plan: object;
  unanswered: object[];
}

describe('drain', () => {
  it('moves each machine to exactly one target; a machine that does not fit, or is refused, goes elsewhere or stays', async () => {
    mkdirSync(path('vms'), { recursive: true });
    await Promise.all(['one', 'two'].map(keepMachine));
    const [roomy, full] = await Promise.all([startTarget('roomy'), startTarget('full', '--max-memory', '1M')]);
    const journal = path('journal');
    const gone = '127.0.0.1:1';

    const nobody = path('vms', 'nobody.sock');
    const dry = drain([roomy, full, gone], path('vms'), nobody, '--dry-run');
    const told = (await dry.ended).result as unknown as Result;
    expectSchema(dry.events.at(-1));
    expect(told.moves.map(({ to, forecast }) => [to, forecast.isPossible])).toEqual([
      [roomy, true],
      [roomy, true],
    ]);
    expect(told.targets.map(({ because }) => because !== null)).toEqual([false, false, true]);
    expect(told.unanswered).toEqual([{ machine: nobody, because: expect.stringContaining('no control socket') }]);

    // The document as it was printed is a plan, and so is the plan alone.
    writeFileSync(path('plan.json'), JSON.stringify(dry.events.at(-1)));
    writeFileSync(path('alone.json'), JSON.stringify(told.plan));
    expect(await readPlan(path('plan.json'))).toEqual(await readPlan(path('alone.json')));
    const drained = start('drain', path('plan.json'), '--insecure', '--records', path('records'), '--journal', journal);
    const { exitCode, result } = await drained.ended;
    expectSchema(drained.events.at(-1));
    const { machines } = result as unknown as Result;
    expect([exitCode, machines.map(({ outcome, to }) => [outcome, to])]).toEqual([
      0,
      [
        ['moved', roomy],
        ['moved', roomy],
      ],
    ]);
    expect(readdirSync(path('roomy')).sort()).toEqual(['one.sock', 'two.sock']);
    expect(readdirSync(path('full'))).toEqual([]);

    // As if this process had been killed right after the hand-over of the last one: its record tells.
    const lines = readFileSync(journal, 'utf8').trimEnd().split('\n');
    const ends = lines.filter((line) => line.includes('"event":"end"'));
    writeFileSync(journal, `${lines.filter((line) => line !== ends.at(-1)).join('\n')}\n{"torn`);
    const again = drain([roomy], path('vms'), '--journal', journal, '--resume');
    const { machines: recalled } = (await again.ended).result as unknown as Result;
    expect(recalled.map(({ outcome }) => outcome)).toEqual(['moved', 'moved']);
    expect(recalled.map(({ because }) => because).sort()).toEqual([
      'by an earlier process',
      'the source has written down that the target has the machine',
    ]);
  });

  it('leaves machines here, with the reason, where no target takes them; and they run on', async () => {
    mkdirSync(path('vms'), { recursive: true });
    const { running } = await keepMachine('one');
    const { exitCode, result } = await drain(['127.0.0.1:1'], path('vms', 'one.sock'), path('vms', 'none.sock')).ended;
    const { machines, targets } = result as unknown as Result;
    expect([exitCode, running.state]).toEqual([3, 'running']);
    expect(machines.map(({ outcome }) => outcome)).toEqual(['stayed', 'unknown']);
    expect(machines[0].because).toContain('127.0.0.1:1: Cannot connect');
    expect(targets[0].because).toContain('Cannot connect');
    rmSync(path('vms', 'one.sock'), { force: true });
  });

  it('sends off no machine that it cannot note first, and tells of all machines', async () => {
    mkdirSync(path('vms'), { recursive: true });
    const { running } = await keepMachine('one');
    const journal = await DrainJournal.open(undefined, false);
    vi.spyOn(journal, 'begin').mockRejectedValue(new EnvironmentError('ENOSPC', 'Cannot write the journal j: full'));
    const target = new DrainTarget('127.0.0.1:1', { kind: 'insecure' });
    vi.spyOn(target, 'ask').mockResolvedValue();
    const { signal } = new AbortController();
    const machines = await findMachines([path('vms')], signal, () => {});
    const fates = { records: path('records'), peerRecords: [], signal, onWait: () => {} };
    const drain = new Drain({
      ...{ machines, targets: [target], jobs: 2, perTarget: 2, journal, fates, signal },
      migrate: { words: [], env: {} },
      onEvent: () => {},
    });
    expect(await drain.run()).toMatchObject([
      { outcome: 'stayed', because: 'not sent: Cannot write the journal j: full', to: null, attempts: 0 },
    ]);
    expect([running.state, drain.noJournal]).toEqual(['running', 'Cannot write the journal j: full']);
  });

  it.each([
    ['no target', ['vm.sock']],
    ['--resume without a journal', ['vm.sock', '--to', 'a:1', '--resume']],
    ['no slots', ['vm.sock', '--to', 'a:1', '--jobs', '0']],
  ])('refuses %s', async (_, words) => {
    expect((await runHere('drain', ...words, '--insecure')).exitCode).toBe(2);
  });
});

describe('the fate of a machine that was sent off', () => {
  const migration = 'ab'.repeat(16);
  /** Number of a process that has ended: no system has so many processes. */
  const GONE = 2 ** 30;

  async function fate(source: Decision | undefined, target?: Decision, pid = GONE) {
    const records = join(folder, `fate-${source}-${target}-${pid}`);
    mkdirSync(records, { recursive: true });
    const write = (side: MigrationSide, decision: Decision) =>
      writeRecord(join(records, `${migration}.${side}.json`), {
        format: 'savkit-migration/1',
        ...{
          side,
          migration,
          decision,
          pid,
          machine: 'vm',
          peer: 'b:1',
          attempt: 1,
          at: 0,
          place: world.process.place(),
        },
      });
    if (source) await write('source', source);
    if (target) await write('target', target);
    const signal = new AbortController().signal;
    return fateOf(migration, { records, peerRecords: target ? [records] : [], signal, onWait: () => {} });
  }

  it.each([
    [undefined, undefined, 'here', undefined],
    ['kept', undefined, 'here', undefined],
    ['done', undefined, 'there', undefined],
    // The machine's own process does the migration: where that has ended, the machine is gone or here.
    ['migrating', undefined, 'here', true],
    ['handed-over', undefined, 'unknown', undefined],
    ['handed-over', 'started', 'there', true],
    ['handed-over', 'gave-up', 'here', true],
  ] as const)('that stands on record as %s, at the target %s, is %s', async (source, target, where, wasBroken) => {
    expect(await fate(source, target)).toMatchObject({ where, ...(wasBroken ? { wasBroken } : {}) });
  });

  it('is not known where the record cannot be read', async () => {
    const records = join(folder, 'bad');
    mkdirSync(records, { recursive: true });
    writeFileSync(join(records, `${migration}.source.json`), '{');
    const signal = new AbortController().signal;
    const { where, because } = await fateOf(migration, { records, peerRecords: [], signal, onWait: () => {} });
    expect([where, because]).toEqual(['unknown', expect.stringContaining('as the record of a migration')]);
  });
});

describe('what follows from a machine that runs on here', () => {
  it('is told by the code, for errors of migrations and of the system', () => {
    const all = Object.keys(MIGRATION_CODES);
    const of = (consequence: string) => all.filter((code) => consequenceOf(code) === consequence);
    expect(of('later')).toEqual(['busy']);
    expect(of('target-stops')).toContain('closed');
    expect(of('stays')).toEqual(expect.arrayContaining(['hindered', 'time-limit', 'private-memory']));
    for (const code of ['ECONNREFUSED', 'EHOSTUNREACH', 'ETIMEDOUT', 'ENOTFOUND']) {
      expect(consequenceOf(code)).toBe('target-stops');
    }
    for (const code of ['ENOSPC', 'EACCES', undefined]) expect(consequenceOf(code)).toBe('stays');
  });
});
