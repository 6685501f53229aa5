import { freemem } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { countText } from '../../formats/amounts.ts';
import { UsageError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { parseNumber } from '../../formats/values/number-text.ts';
import { MemoryBudget } from '../../migrations/arrival/memory-budget.ts';
import { Receivers } from '../../migrations/arrival/receivers.ts';
import { ensureFolder } from '../../migrations/hand-over/record-folder.ts';
import { parseListenEndpoint } from '../../migrations/trust/endpoint.ts';
import { MEMORY_SHARE } from '../../migrations/virtual-machine/machine-host.ts';
import { MigrationError } from '../../migrations/wire/migration-error.ts';
import { defaultFolder } from '../control/keep-file.ts';
import { stop } from '../io/stop.ts';
import { type MetricsOptions, serveMetrics } from '../metrics/metrics-server.ts';
import { openGate, type ReceiveMachineOptions, tellWhere } from '../migration/receive-machine.ts';
import { targetTrust } from '../migration/trust-options.ts';
import { expectWholeNumber } from '../parsing/whole-number.ts';
import { custody } from '../process/custody.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Job, Outcome } from '../process/run-command.ts';
import { line, NO_TEXT } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import type { AnyMachine } from './daemon-host.ts';
import { Household } from './household.ts';

export interface ReceiveManyOptions extends ReceiveMachineOptions, MetricsOptions {
  /** Maximum number of machines that arrive at the same time; by default DEFAULT_INCOMING. */
  maxIncoming?: number;
  qemuArgs?: string;
}

export const DEFAULT_INCOMING = 2;
const MOST_INCOMING = 16;
const LOOK_MS = 250;

/** Takes machine after machine, and runs them, until a signal ends it. */
export async function receiveMany(options: ReceiveManyOptions, { signal }: Job): Promise<Outcome> {
  const maxIncoming = options.maxIncoming ?? DEFAULT_INCOMING;
  checkOptions(options, maxIncoming);
  const endpoint = parseListenEndpoint(options.listen);
  const keepIn = options.keepIn ?? defaultFolder();
  for (const folder of [options.control, options.keepIn]) if (folder !== undefined) await ensureFolder(folder);
  const { trust, shownCode } = await targetTrust(options);
  await ensureFolder(options.records);
  const report = new LiveReport(options);
  const maxBytes =
    options.maxMemory === undefined ? Math.floor(freemem() * MEMORY_SHARE) : parseNumber(options.maxMemory);
  const budget = new MemoryBudget(Math.floor(maxBytes / PAGE_SIZE));
  const household = new Household({ ...options, keepIn }, budget, report, signal);
  const receivers: Receivers<AnyMachine> = await Receivers.create<AnyMachine>({
    streams: 16,
    maxIncoming,
    freeBytes: () => budget.left * PAGE_SIZE,
    receive: (migration) => {
      if (custody.isEndWanted) throw new MigrationError('closed', 'Cannot take this machine: this side is ending');
      return household.receive(migration, () => receivers.hasPromised(migration));
    },
    onRefused: (peer, message) => household.refused(peer, message),
  });
  const endMetrics = await serveMetrics(options, report, () => ({
    ...household.values(),
    savkit_receive_arriving: [{ value: receivers.arriving }],
  }));
  try {
    const gate = await openGate(endpoint, trust, report, (socket, peer) => void receivers.accept(socket, peer));
    try {
      tellWhere(gate, shownCode, 'all machines until this process ends', report);
      await untilNobodyComes(options.wait, signal, () => receivers.unsettled > 0 || household.running > 0);
    } finally {
      await receivers.close();
      gate.close();
      await household.empty();
    }
  } finally {
    endMetrics();
    report.stop();
  }
  const { counts } = household;
  const came = line`${countText(counts.arrived, 'machine')} came`;
  const went = line`${counts.movedOn} moved on, ${counts.saved} saved, ${counts.faulty} with faults`;
  const text = line`${came}; ${went}; ${counts.notArrived} did not arrive, ${counts.refused} refused`;
  return {
    exitCode: counts.faulty > 0 ? ExitCode.BAD_FILE : ExitCode.OK,
    result: { action: 'received-many', ...counts },
    text: options.quiet ? NO_TEXT : text,
  };
}

function checkOptions(options: ReceiveManyOptions, maxIncoming: number): void {
  for (const name of ['output', 'safe', 'seed'] as const)
    if (options[name] !== undefined)
      throw new UsageError('bad-combination', `Cannot use --${name} with --keep: it is for one machine`);
  expectWholeNumber('max-incoming', maxIncoming, MOST_INCOMING);
}

/** @param wait seconds without a machine; 0: for ever, until a signal */
async function untilNobodyComes(wait: number, signal: AbortSignal, isBusy: () => boolean): Promise<void> {
  for (let since = performance.now(); !signal.aborted; ) {
    await setTimeout(LOOK_MS, undefined, { signal: stop.signal }).catch(() => {});
    if (isBusy()) since = performance.now();
    else if (wait > 0 && performance.now() - since > wait * 1000) return;
  }
}
