import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { runHere } from '../testing/run-here.ts';
import { addFiles } from './add.ts';
import type { Fleet, FleetJob, FleetQueue } from './engine.ts';
import { checkWork, expectJobOptions } from './job-shape.ts';
import { resultsOf } from './results.ts';
import { workLong, workOff } from './work.ts';

const file = { file: join(STATES_FOLDER, 'own-pae.sav'), size: 1, modified: null, isFound: false };
const work = { operation: 'verify', options: ['--hash'], files: [file] };
const signal = new AbortController().signal;

function jobOf(data: unknown, returnvalue: unknown = null): FleetJob {
  return { data, returnvalue, attemptsMade: 2, opts: { attempts: 3 } } as FleetJob;
}

/** A queue in which all jobs are done. */
function queueOf(...jobs: FleetJob[]): FleetQueue {
  const getJobs: FleetQueue['getJobs'] = async ([state], first, last) =>
    state === 'completed' ? jobs.slice(first, last + 1) : [];
  return { getJobs } as unknown as FleetQueue;
}

describe('a queue', () => {
  it.each([
    ['another command', { ...work, operation: 'donor' }],
    ['a command that begins as an option', { ...work, operation: '--help' }],
    ['a file to be replaced', { ...work, options: ['--metrics', '/etc/passwd'] }],
    ['the same in other spelling', { ...work, options: ['--filesFrom=/etc/passwd'] }],
    ['a short option', { ...work, options: ['-r'] }],
    ['an end of the options', { ...work, options: ['--'] }],
    ['files without end', { ...work, files: Array.from({ length: 51 }, () => file) }],
    ['no files', { ...work, files: 7 }],
    ['nothing', undefined],
  ])('has no worker do %s', async (_, data) => {
    expect(() => checkWork(data)).toThrow(expect.objectContaining({ code: 'bad-job' }));
    await expect(workOff(jobOf(data), signal)).rejects.toMatchObject({ code: 'bad-job' });
  });

  it.skipIf(process.platform === 'win32')('gets no pipe, for which a worker would wait', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-fleet-'));
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const options = { operation: 'verify', with: [], paths: [pipe], recursive: false, null: false };
    const added = addFiles({ ...queueOf(), addBulk: () => expect.fail('added') }, options, signal);
    await expect(added).rejects.toMatchObject({ code: 'not-a-file' });
    rmSync(folder, { recursive: true });
  });

  it('gets no options that workers cannot share', () => {
    expect(() => expectJobOptions(['--journal'])).toThrow('--with=--journal');
    expect(() => expectJobOptions(['--into', '/out', '--force', '--no-proof'])).not.toThrow();
  });

  it('has results of workers in its report, and nothing else', async () => {
    // As a worker's own process prints it.
    const { stdout } = await runHere('verify', file.file, '--hash', '--ndjson');
    const lines = [JSON.parse(stdout.split('\n')[0])];
    const {
      lines: [line],
    } = await resultsOf(queueOf(jobOf(work, lines)));
    expect(line).toMatchObject({ event: 'file', outcome: 'whole', exitCode: 0, file: file.file });
    const lying = await resultsOf(queueOf(jobOf(work, [{ ...lines[0], exitCode: 77 }])));
    expect(lying.lines).toMatchObject([{ exitCode: 4, outcome: 'not read or written', file: file.file }]);
    expect(lying.lines[0].error).toMatchObject({ message: expect.stringContaining('not of savkit: [0].exitCode') });
    const other = await resultsOf(queueOf(jobOf(work, [{ ...lines[0], command: 'inspect' }])));
    expect(other.lines).toMatchObject([{ exitCode: 4, outcome: 'not read or written', file: file.file }]);
  });

  it('hides no results behind jobs of others, and tells how many these are', async () => {
    const { stdout } = await runHere('verify', file.file, '--hash', '--ndjson');
    const ours = jobOf(work, [JSON.parse(stdout.split('\n')[0])]);
    const others = [undefined, {}, 'x', { ...work, files: [] as unknown[], operation: 'rm' }].map((data) =>
      jobOf(data),
    );
    const { lines, strangers } = await resultsOf(queueOf(...others, ours, ...others));
    expect([lines.length, lines[0].outcome, strangers]).toEqual([1, 'whole', 8]);
  });
});

describe('a worker', () => {
  const none = { onDone() {}, onTrouble() {} };

  it('ends where the client of the queue fails at once, again and again, and leaves no time for anything else', async () => {
    let isClosed = false;
    let fail = (_: Error) => {};
    const spin = async () => {
      for (let i = 0; i < 100_000 && !isClosed; i++) await Promise.reject(new Error('no column x')).catch(fail);
    };
    const worker = {
      async close() {
        isClosed = true;
      },
      on(event: string, handle: typeof fail) {
        if (event !== 'error') return;
        fail = handle;
        queueMicrotask(spin);
      },
    };
    const queue = { ...queueOf(), on() {}, close: async () => {}, getJobCounts: async () => ({ waiting: 1 }) };
    const fleet = { queue: () => queue, worker: () => worker };
    const working = workLong(fleet as unknown as Fleet, { jobs: 1, untilEmpty: false }, signal, none);
    await expect(working).rejects.toMatchObject({ code: 'no-queue', message: 'Cannot use the queue: no column x' });
    expect(isClosed).toBe(true);
  });

  it('does not begin with a queue that cannot be used', async () => {
    const getJobCounts = () => Promise.reject(new Error('no column x'));
    const fleet = {
      queue: () => ({ ...queueOf(), on() {}, close: async () => {}, getJobCounts }),
      worker: () => expect.fail('a worker'),
    };
    const working = workLong(fleet as unknown as Fleet, { jobs: 1, untilEmpty: false }, signal, none);
    await expect(working).rejects.toThrow('no column x');
  });
});
