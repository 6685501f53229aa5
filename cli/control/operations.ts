import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { InterruptedError, UsageError } from '../../formats/errors.ts';
import { writeFileSink } from '../../formats/files/sink.ts';
import { world } from '../../formats/world/world.ts';
import type { MigrationEvent } from '../../migrations/report/report.ts';
import { Console } from '../../src/console/console.ts';
import { liveSave } from '../../src/live-save/live-save.ts';
import { plainSave } from '../../src/live-save/plain-save.ts';
import { hostPagingText } from '../../src/paging/shadow-mode.ts';
import { listStatistics } from '../text/statistics-text.ts';
import { carryOut, changeLimits, foretell } from './carry-out.ts';
import type { KeptMachine, OnEvent } from './kept-machine.ts';
import { type MigrationStatus, updateStatus } from './migration-status.ts';
import type { MachineStatus } from './replies.ts';
import type { ControlCommand, RequestOf } from './requests.ts';
import { teleport } from './teleport.ts';

type Operation<C extends ControlCommand> = (
  kept: KeptMachine,
  request: RequestOf<C>,
  onEvent: OnEvent,
  signal: AbortSignal,
) => Promise<object> | object;

/** The commands of a control socket. */
const OPERATIONS: { readonly [C in ControlCommand]: Operation<C> } = {
  status: (kept) => ({ ...machineDescription(kept), migration: kept.migration ?? null }),
  stats: ({ running }, { pattern }) => ({ statistics: listStatistics(running.machine.statistics, pattern) }),
  check,
  pause: (kept) => {
    kept.running.pause();
    return machineDescription(kept);
  },
  resume: (kept) => {
    kept.running.resume();
    return machineDescription(kept);
  },
  reset: (kept) => {
    kept.running.reset();
    return machineDescription(kept);
  },
  stop: (kept) => {
    kept.running.stop();
    return machineDescription(kept);
  },
  console: runLine,
  throttle: (kept, { share }) => {
    kept.running.throttle = share;
    return machineDescription(kept);
  },
  save,
  'live-save': saveLive,
  migrate: migrateAway,
  limits: ({ running }, { request }) => changeLimits(running.machine, request),
  foretell: ({ name, running }, { request }) => foretell({ name, machine: running.machine, running }, request),
  teleport: async (kept, { request }, onEvent, signal) => {
    const report = await teleport(request, kept.running, onEvent, signal);
    kept.movedTo = request.to;
    return report;
  },
};

/** Carries out a command; its result goes into the reply. */
export function operate<C extends ControlCommand>(
  command: C,
  kept: KeptMachine,
  request: RequestOf<C>,
  onEvent: OnEvent,
  signal: AbortSignal,
): Promise<object> | object {
  return OPERATIONS[command](kept, request, onEvent, signal);
}

/** Commands of the console that need a paused machine, or write files as this process. */
const NOT_WHILE_RUNNING = ['save', 'pgmphystofile'];

/** Runs one line of the debugger's console. */
async function runLine(kept: KeptMachine, { line }: RequestOf<'console'>): Promise<object> {
  const [name = ''] = line.trim().replace(/^\./, '').split(/\s/);
  if (NOT_WHILE_RUNNING.includes(name))
    throw new UsageError('bad-request', `Cannot carry out request: ${name} is for paused machines`);
  kept.console ??= new Console(kept.running.machine);
  const { text, rows, error } = await kept.console.run(line);
  if (error) throw error;
  return { command: line, text, rows: rows ?? null };
}

/**
 * Checks the workload's memory in slices, so that other requests are answered and the machine runs, however much memory
 * there is.
 */
async function check(
  { running }: KeptMachine,
  _request: object,
  _onEvent: OnEvent,
  signal: AbortSignal,
): Promise<object> {
  const slices = running.guest.checkInSlices();
  for (;;) {
    const { done, value } = slices.next();
    if (done) return value;
    await setImmediate();
    if (signal.aborted) throw new InterruptedError();
  }
}

/** The answer to `status`. */
export function machineDescription({ name, running, host }: KeptMachine): MachineStatus {
  const { guest, machine, memory, figures, state, throttle, runtimeError = null } = running;
  const { seed, rate, places, patternSize, steps, ticks } = guest.block;
  return {
    name,
    state,
    runtimeError,
    ramSize: machine.state.pgm?.ramSize ?? 0,
    workload: { kind: guest.kind, seed, rate, pages: places, patternSize },
    steps,
    ticks,
    faults: guest.faults.length,
    throttle,
    figures: { ...figures },
    pages: { ...memory.pages.counts },
    cpus: machine.cpus.map(({ guestMode = null, shadow }) => ({ guestMode, shadowMode: shadow?.shadowMode ?? null })),
    host: {
      paging: machine.shadow ? hostPagingText(machine.host) : null,
      allocatedPages: memory.pages.backing.host.figures.allocatedPages,
      duplicatePages: memory.pages.backing.host.figures.duplicatePages,
      largePages: { ...memory.largePages.counts },
      sharing: host?.sharing ? { ...host.sharing.counts } : null,
    },
  };
}

async function migrateAway(
  kept: KeptMachine,
  { request }: RequestOf<'migrate'>,
  onEvent: OnEvent,
  signal: AbortSignal,
): Promise<object> {
  const { name, running } = kept;
  const status: MigrationStatus = { to: request.to, phase: 'connects', since: world.time.date(), progress: null };
  const tell = (event: MigrationEvent) => {
    const { event: word, ...data } = event;
    updateStatus(status, event);
    if (word === 'running' || word === 'arrived') kept.movedTo = request.to;
    onEvent(word, data);
  };
  // A second migration at the same time is refused, and the status stays that of the first.
  kept.migration ??= status;
  const own = { name, machine: running.machine, running };
  return carryOut(request, own, tell, signal, kept.stopAsking).finally(() => {
    if (kept.migration === status) kept.migration = undefined;
  });
}

async function save(
  { running }: KeptMachine,
  { path, force }: RequestOf<'save'>,
  onEvent: OnEvent,
  signal: AbortSignal,
): Promise<object> {
  return writeFileSink(path, { force }, async (sink) => {
    const downtimeMs = await plainSave(running, sink, {
      signal,
      onProgress: (done, total) => onEvent('progress', { percent: (100 * done) / total }),
    });
    return { path, downtimeMs };
  });
}

async function saveLive(
  { running }: KeptMachine,
  { path, force, maxDowntimeMs, stay }: RequestOf<'live-save'>,
  onEvent: OnEvent,
  signal: AbortSignal,
): Promise<object> {
  return writeFileSink(path, { force }, async (sink) => {
    const report = await liveSave(running, sink, {
      maxDowntimeMs,
      leaveSuspended: stay,
      signal,
      freeSpace: () => freeSpaceAt(path),
      onPass: (pass) => onEvent('pass', pass),
      onProgress: (percent) => onEvent('progress', { percent }),
    });
    return { path, ...report };
  });
}

async function freeSpaceAt(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(dirname(path));
  return bavail * bsize;
}
