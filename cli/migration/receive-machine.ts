import { setTimeout } from 'node:timers/promises';
import { type ByteSource, openFile } from '../../formats/binary/source.ts';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { endpointText, parseEndpoint } from '../../migrations/endpoint.ts';
import { DecisionFile } from '../../migrations/hand-over/decision-record.ts';
import { ensureFolder, recallTarget } from '../../migrations/hand-over/record-folder.ts';
import { Receiver } from '../../migrations/target/receiver.ts';
import type { ReceiveEvent } from '../../migrations/target/reception.ts';
import { Gate } from '../../migrations/trust/gate.ts';
import type { ArrivingMachine } from '../../migrations/virtual-machine/arriving-machine.ts';
import { MachineHost } from '../../migrations/virtual-machine/machine-host.ts';
import { PeerError } from '../../migrations/wire/peer-error.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import { parseAddress } from '../address.ts';
import type { CommonOptions, Job, Outcome } from '../command.ts';
import { keepRunning } from '../control/keep-running.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { ExitCode } from '../exit-codes.ts';
import { LiveReport } from '../live-report.ts';
import { tryOutput } from '../output.ts';
import { sizeText } from '../size-text.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import { type TrustOptions, targetTrust } from './trust-options.ts';

export interface ReceiveMachineOptions extends CommonOptions, TrustOptions {
  listen: string;
  seed?: string;
  safe?: string;
  maxMemory?: string;
  wait: number;
  keepFor: number;
  runFor?: number;
  control?: string;
  records: string;
  force: boolean;
}

/** Waits for a machine, runs it, and at the end says how it was. */
export async function receiveMachine(options: ReceiveMachineOptions, { signal }: Job): Promise<Outcome> {
  if (options.safe !== undefined) await tryOutput(options.safe, options.force);
  const report = new LiveReport(options);
  const { trust, shownCode } = await targetTrust(options);
  await ensureFolder(options.records);
  const seed = options.seed === undefined ? undefined : await openFile(options.seed);
  try {
    const receiver = await createReceiver(options, seed, report);
    const gate = await Gate.open(parseEndpoint(options.listen), trust, {
      onConnection: (socket, peer) => void receiver.accept(socket, peer),
      onRefused: (from, why) => report.note('refused', line`${from} did not get in: ${why}`, { from, why }),
    });
    try {
      const at = endpointText(gate.endpoint);
      report.note('listening', line`Waiting for a machine on ${at}`, { at });
      if (shownCode !== undefined) report.ask('code', line`Pairing code, good for this one machine: ${shownCode}`, { code: shownCode });
      const machine = await awaitMachine(receiver, options.wait, signal);
      return await runMachine(machine, options, report, signal);
    } finally {
      await receiver.close();
      gate.close();
    }
  } finally {
    report.stop();
    await seed?.close();
  }
}

function createReceiver({ maxMemory, keepFor, records, safe }: ReceiveMachineOptions, seed: ByteSource | undefined, report: LiveReport): Promise<Receiver> {
  const host = new MachineHost({
    ...(maxMemory === undefined ? {} : { maxBytes: parseAddress(maxMemory) }),
    ...(seed ? { seed } : {}),
    ...(safe === undefined ? {} : { safeFile: safe }),
  });
  return Receiver.create(host, {
    logFor: (migration) => new DecisionFile(records, { side: 'target', migration, machine: '', peer: '' }),
    recall: (migration) => recallTarget(records, migration),
    keepMs: keepFor * 1000,
    streams: 16,
    onEvent: (event) => tell(report, event),
  });
}

async function awaitMachine(receiver: Receiver, wait: number, signal: AbortSignal): Promise<ArrivingMachine> {
  const timer = new AbortController();
  const over = wait === 0 ? undefined : setTimeout(wait * 1000, undefined, { signal: timer.signal, ref: false });
  const stopped = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new InterruptedError()), { once: true }));
  if (signal.aborted) throw new InterruptedError();
  const late = over?.then(async () => {
    // A machine that is under way by then is not turned away.
    if (receiver.isIdle) throw new EnvironmentError('timed-out', 'Cannot receive: no machine came in time');
    return receiver.arrived;
  });
  late?.catch(() => {});
  try {
    return (await Promise.race([receiver.arrived, stopped, ...(late ? [late] : [])])) as ArrivingMachine;
  } catch (error) {
    // That the source has changed its mind is nothing that this side does not support.
    throw error instanceof PeerError ? new EnvironmentError(error.code, `Cannot receive: ${error.message}`) : error;
  } finally {
    timer.abort();
  }
}

/** The machine runs until it is stopped; then it says whether its memory is what its workload left there. */
async function runMachine(
  { name, machine, running }: ArrivingMachine,
  options: ReceiveMachineOptions,
  report: LiveReport,
  signal: AbortSignal,
): Promise<Outcome> {
  const { quiet } = options;
  const movedTo = running ? await untilItEnds({ name, running }, options, report, signal) : undefined;
  const check = running?.selfCheck();
  const faults = check?.faults.length ?? 0;
  const result = {
    action: 'received',
    pages: machine.memory.pages.counts.all,
    workload: running ? { kind: running.guest.kind, steps: check?.steps ?? 0, ticks: check?.ticks ?? 0, checkedPages: check?.pages ?? 0, faults } : null,
    movedTo: movedTo ?? null,
  };
  const text = [
    line`${good('received')}: a machine of ${sizeText(result.pages * 4096)}`,
    ...(result.workload
      ? [
          indent(
            line`workload ${result.workload.kind}: ${result.workload.steps} steps in ${result.workload.ticks} ticks; self-check of ${result.workload.checkedPages} pages: ${faults === 0 ? good('clean') : bad(`${faults} faults`)}`,
          ),
        ]
      : [indent('it holds no workload, so there is nothing to run')]),
    ...(movedTo === undefined ? [] : [indent(`moved on to ${movedTo}`)]),
  ];
  return { exitCode: faults === 0 ? ExitCode.OK : ExitCode.BAD_FILE, result, text: quiet && faults === 0 ? NO_TEXT : lines(text) };
}

/** Runs a machine until it is off, is handed over, its time is over, or a signal ends it. @returns where it was handed over to, if it was */
async function untilItEnds(
  arrived: { name: string; running: RunningMachine },
  { runFor, control }: ReceiveMachineOptions,
  report: LiveReport,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { running } = arrived;
  const stop = new AbortController();
  const timer = runFor === undefined ? undefined : globalThis.setTimeout(() => stop.abort(), runFor * 1000);
  const ended = AbortSignal.any([signal, stop.signal]);
  try {
    if (control !== undefined) {
      const onReady = () => report.note('control', line`Control socket ${control}`, { socket: control });
      try {
        const kept: KeptMachine = { ...arrived };
        const failure = await keepRunning(kept, { socket: control, signal: ended, onReady });
        if (failure) throw failure;
        return kept.movedTo;
      } catch (error) {
        // The machine runs here only: without a control socket is better than not at all.
        if (!(error instanceof EnvironmentError)) throw error;
        report.note('control', line`${error.message}; the machine runs without one`, { error: error.code });
      }
    }
    await Promise.race([running.ended, new Promise<void>((resolve) => ended.addEventListener('abort', () => resolve(), { once: true }))]);
    if (running.state === 'running') running.pause();
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function tell(report: LiveReport, event: ReceiveEvent): void {
  const { event: name, ...data } = event;
  report.note(name, textOf(event), data);
}

function textOf(event: ReceiveEvent): TerminalText {
  switch (event.event) {
    case 'arriving':
      return event.attempt === 1 ? line`${event.peer} sends a machine` : line`${event.peer} is connected again`;
    case 'refused':
      return line`${event.peer} was refused: ${event.message}`;
    case 'link-lost':
      return line`Link lost: ${event.message}; the machine is ${event.state}`;
    case 'ready':
      return line`All is here: memory has the hash ${event.root}`;
    case 'running':
      return line`The machine runs here`;
    case 'arrived-paused':
      return line`The machine is here, paused as it was at the source`;
    default:
      return NO_TEXT;
  }
}
