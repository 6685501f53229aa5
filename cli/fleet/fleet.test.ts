import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { runHere } from '../testing/run-here.ts';
import type { FleetJob, FleetQueue } from './engine.ts';
import { checkWork, expectJobOptions } from './job-shape.ts';
import { resultsOf } from './results.ts';
import { workOff } from './work.ts';

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

  it('gets no such options', () => {
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
