import { setTimeout } from 'node:timers/promises';
import { EnvironmentError, InterruptedError, UsageError } from '../../formats/errors.ts';
import { openFile } from '../../formats/files/source.ts';
import { parseNumber } from '../../formats/values/number-text.ts';
import type { ReceiveEvent } from '../../migrations/arrival/receive-event.ts';
import { Receiver } from '../../migrations/arrival/receiver.ts';
import { DecisionFile, type GuestRecord } from '../../migrations/hand-over/decision-record.ts';
import { ensureFolder, recallTarget } from '../../migrations/hand-over/record-folder.ts';
import type { TargetHost, TargetMachine } from '../../migrations/machine/machine.ts';
import { type Endpoint, endpointText, parseListenEndpoint } from '../../migrations/trust/endpoint.ts';
import { Gate, type GateOptions } from '../../migrations/trust/gate.ts';
import type { Trust } from '../../migrations/trust/trust.ts';
import { MachineHost } from '../../migrations/virtual-machine/machine-host.ts';
import { PeerError } from '../../migrations/wire/peer-error.ts';
import { parseHostPaging } from '../../src/paging/shadow-mode.ts';
import { checkKeepFile } from '../control/keep-file.ts';
import { checkSocketPath } from '../control/stale-socket.ts';
import { tryFile } from '../io/output.ts';
import { type Charge, custody } from '../process/custody.ts';
import type { CommonOptions, Job, Outcome } from '../process/run-command.ts';
import { line, lines } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { type ArrivedOptions, keepArrived } from './arrived-machine.ts';
import { receiveText } from './receive-text.ts';
import { type TrustOptions, targetTrust } from './trust-options.ts';

export interface ReceiveOneOptions extends CommonOptions, TrustOptions {
  listen: string;
  wait: number;
  keepFor: number;
  records: string;
}

export interface ReceiveMachineOptions extends ReceiveOneOptions, ArrivedOptions {
  quiet: boolean;
  seed?: string;
  safe?: string;
  output?: string;
  maxMemory?: string;
  shadow?: string;
}

/** Waits for a machine, runs it, and reports at the end. */
export async function receiveMachine(options: ReceiveMachineOptions, { signal }: Job): Promise<Outcome> {
  const { maxMemory, safe, output } = options;
  const shadow = options.shadow === undefined ? undefined : parseHostPaging(options.shadow);
  const file = output ?? safe;
  if (output !== undefined && safe !== undefined)
    throw new UsageError(
      'usage',
      'Cannot use --safe with --output: a machine that is kept in a file is safe there, and does not run',
    );
  if (shadow !== undefined && output !== undefined)
    throw new UsageError('usage', 'Cannot use --shadow with --output: a machine that is kept in a file does not run');
  if (options.control !== undefined) await checkSocketPath(options.control);
  const seed = options.seed === undefined ? undefined : await openFile(options.seed);
  try {
    // The output is tried after the seed was opened, since the output must not be the seed.
    if (file !== undefined) await tryFile(file, { force: options.force });
    if (output === undefined) await checkKeepFile(options);
    return await receiveOne(options, signal, {
      hostFor: () =>
        new MachineHost({
          maxBytes: maxMemory === undefined ? undefined : parseNumber(maxMemory),
          seed,
          file,
          runs: output === undefined,
          shadow,
        }),
      keep: (machine, { report }) => keepArrived(machine, options, report, signal),
    });
  } finally {
    await seed?.close();
  }
}

/** Parts of receiving that depend on the kind of machine. */
export interface Reception<M extends TargetMachine> {
  /**
   * Starts a guard for the process that runs the machine, in case this process is killed; the guard reads the record.
   * @returns function that ends the guard
   */
  watch?(recordPath: string): () => void;
  /**
   * @param onMade to be called with the process that runs the machine, if it is not this one
   * @param warn tells of a fault that ends nothing
   */
  hostFor(onMade: (guest: GuestRecord) => void, warn: (code: string, message: string) => void): TargetHost<M>;
  /** Called when the machine has arrived. */
  keep(machine: M, how: { report: LiveReport; wasPaused: boolean }): Promise<Outcome>;
}

/** Waits for one machine of any kind. */
export async function receiveOne<M extends TargetMachine>(
  options: ReceiveOneOptions,
  signal: AbortSignal,
  { hostFor, keep, watch }: Reception<M>,
): Promise<Outcome> {
  const endpoint = parseListenEndpoint(options.listen);
  const { trust, shownCode } = await targetTrust(options);
  await ensureFolder(options.records);
  const report = new LiveReport(options);
  let log: DecisionFile | undefined;
  let unwatch: (() => void) | undefined;
  let wasPaused = false;
  try {
    const receiver = await Receiver.create(
      hostFor(
        (guest) => {
          log?.runsIn(guest);
          unwatch?.();
          unwatch = log && watch?.(log.path);
        },
        (code, message) => report.note('warning', line`${message}`, { code, message }),
      ),
      {
        logFor: (migration) => {
          log = new DecisionFile(options.records, { side: 'target', migration, machine: '', peer: '' });
          return log;
        },
        recall: (migration) => recallTarget(options.records, migration),
        keepMs: options.keepFor * 1000,
        streams: 16,
        onEvent: (event) => {
          wasPaused ||= event.event === 'arrived-paused';
          tell(report, event);
        },
      },
    );
    const release = custody.take(promised(receiver, options.records));
    const gate = await openGate(endpoint, trust, report, (socket, peer) => void receiver.accept(socket, peer));
    try {
      tellWhere(gate, shownCode, 'this one machine', report);
      const machine = await awaitMachine(receiver, options.wait, signal);
      return await keep(machine, { report, wasPaused });
    } finally {
      await receiver.close();
      gate.close();
      release();
    }
  } finally {
    unwatch?.();
    report.stop();
  }
}

/** Listens for connections, and reports refused ones. @throws EnvironmentError */
export function openGate(
  endpoint: Endpoint,
  trust: Trust,
  report: LiveReport,
  onConnection: GateOptions['onConnection'],
): Promise<Gate> {
  return Gate.open(endpoint, trust, {
    onConnection,
    onRefused: (from, why) => report.note('refused', line`${from} was refused: ${why}`, { from, why }),
  });
}

/** @param goodFor the use that the code is good for */
export function tellWhere(gate: Gate, shownCode: string | undefined, goodFor: string, report: LiveReport): void {
  const at = endpointText(gate.endpoint);
  report.note('listening', line`Waiting for a machine on ${at}`, { at, pid: process.pid });
  if (shownCode !== undefined)
    report.ask('code', line`Pairing code, good for ${goodFor}: ${shownCode}`, { code: shownCode });
}

/** Custody of a machine that this side has promised to run, while the source has not decided yet. */
export function promised(receiver: { hasPromised: boolean }, records: string): Charge {
  return {
    isHeld: () => receiver.hasPromised,
    ways: () => {
      const { pid } = process;
      const resolve = line`\`savkit migrate --resolve\` with the records of both sides (here in ${records})`;
      const waits = 'savkit waits for that, then it can save the machine';
      return lines([
        line`This process (${pid}) has a machine, and has to run it once the source says so; ${waits}.`,
        line`If the source is gone, ${resolve} decides; kill -9 ${pid} gives the machine up`,
      ]);
    },
  };
}

async function awaitMachine<M extends TargetMachine>(
  receiver: Receiver<M>,
  wait: number,
  signal: AbortSignal,
): Promise<M> {
  const timer = new AbortController();
  const over = wait === 0 ? undefined : setTimeout(wait * 1000, undefined, { signal: timer.signal, ref: false });
  const stopped = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new InterruptedError()), { once: true }),
  );
  if (signal.aborted) throw new InterruptedError();
  const late = over?.then(async () => {
    // A machine that is arriving when the time is over is not refused.
    if (receiver.isIdle) throw new EnvironmentError('timed-out', 'Cannot receive: no machine arrived in time');
    return receiver.arrived;
  });
  late?.catch(() => {});
  try {
    return await Promise.race([receiver.arrived, stopped, ...(late ? [late] : [])]);
  } catch (error) {
    throw error instanceof PeerError ? new PeerError(error.code, `Cannot receive: ${error.message}`) : error;
  } finally {
    timer.abort();
  }
}

function tell(report: LiveReport, event: ReceiveEvent): void {
  const { event: name, ...data } = event;
  report.note(name, receiveText(event), data);
}
