import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { Lease, MemoryBudget } from '../../migrations/arrival/memory-budget.ts';
import type { OneOfMany } from '../../migrations/arrival/receivers.ts';
import type { QemuTarget } from '../../migrations/guests/qemu-target.ts';
import { DecisionFile } from '../../migrations/hand-over/decision-record.ts';
import { recallTarget } from '../../migrations/hand-over/record-folder.ts';
import { ArrivingMachine } from '../../migrations/virtual-machine/arriving-machine.ts';
import { newKeepFile, plainName } from '../control/keep-file.ts';
import { defaultSocketPath } from '../control/keep-running.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { checkSocketPath } from '../control/stale-socket.ts';
import { guestOf, outcomeOfGuest } from '../guests/receive-guest.ts';
import { watchOver } from '../guests/watchdog.ts';
import { type Values, valuesOfMachines } from '../metrics/metrics.ts';
import { keepArrived } from '../migration/arrived-machine.ts';
import { promised, type ReceiveMachineOptions } from '../migration/receive-machine.ts';
import { receiveText } from '../migration/receive-text.ts';
import { custody } from '../process/custody.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Outcome } from '../process/run-command.ts';
import { line, type TerminalText } from '../terminal/terminal-text.ts';
import type { LiveReport } from '../text/live-report.ts';
import { type AnyMachine, DaemonHost } from './daemon-host.ts';

/** Time between looks at whether a guest's QEMU has ended. */
const LOOK_MS = 1000;
/** Maximum number of sockets for machines of one name. */
const MOST_SOCKETS = 1000;

/** The machines of a daemon: arrived ones, and arriving ones. */
export class Household {
  readonly counts = { arrived: 0, notArrived: 0, refused: 0, movedOn: 0, saved: 0, faulty: 0 };
  readonly #options: ReceiveMachineOptions & { qemuArgs?: string };
  readonly #budget: MemoryBudget;
  readonly #report: LiveReport;
  readonly #signal: AbortSignal;
  readonly #sockets = new Set<string>();
  readonly #kept = new Set<Promise<void>>();
  readonly #machines = new Set<KeptMachine>();

  /** @param signal ends the machines that run in this process */
  constructor(
    options: ReceiveMachineOptions & { qemuArgs?: string },
    budget: MemoryBudget,
    report: LiveReport,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#budget = budget;
    this.#report = report;
    this.#signal = signal;
  }

  /** Machines that run here. */
  get running(): number {
    return this.#kept.size;
  }

  /** Metrics for Prometheus. */
  values(): Values {
    const { arrived, notArrived, refused } = this.counts;
    return {
      ...valuesOfMachines([...this.#machines]),
      savkit_receive_machines: [{ value: this.#machines.size }],
      savkit_receive_arrived_total: [{ value: arrived }],
      savkit_receive_not_arrived_total: [{ value: notArrived }],
      savkit_receive_refused_total: [{ value: refused }],
      savkit_receive_memory_limit_bytes: [{ value: this.#budget.maxPages * PAGE_SIZE }],
      savkit_receive_memory_free_bytes: [{ value: this.#budget.left * PAGE_SIZE }],
    };
  }

  /** Resolves when no machine runs in this process any more. */
  async empty(): Promise<void> {
    await Promise.all(this.#kept);
  }

  refused(peer: string, message: string): void {
    this.counts.refused++;
    this.#report.note('refused', line`${peer} was refused: ${message}`, { peer, message });
  }

  /** Takes in the machine of a migration. @param hasPromised see `Receivers` */
  receive(migration: string, hasPromised: () => boolean): OneOfMany<AnyMachine> {
    const { records, keepFor, qemuArgs } = this.#options;
    const log = new DecisionFile(records, { side: 'target', migration, machine: '', peer: '' });
    let name = `machine of ${migration.slice(0, 8)}`;
    let isDescribed = false;
    let wasPaused = false;
    /** Ends the watchdog of a guest, which settles the guest if this process is killed. */
    let unwatch = () => {};
    const note = (event: string, text: TerminalText, data: object) =>
      this.#report.note(event, text.isEmpty ? text : line`${name}: ${text}`, { migration, machine: name, ...data });
    const lease = this.#budget.lease(
      new DaemonHost({
        maxBytes: this.#budget.maxPages * PAGE_SIZE,
        qemuArgs,
        onDescribed: (described) => {
          name = described;
          isDescribed = true;
        },
        onStarted: (target) => {
          log.runsIn(guestOf(target));
          unwatch();
          unwatch = watchOver(log.path);
        },
        warn: (code, message) => note('warning', line`${message}`, { code, message }),
      }),
    );
    const release = custody.take({ ...promised({ hasPromised: false }, records), isHeld: hasPromised });
    return {
      host: lease.host,
      options: {
        logFor: () => log,
        recall: (asked) => recallTarget(records, asked),
        keepMs: keepFor * 1000,
        streams: 16,
        onEvent: ({ event, ...data }) => {
          wasPaused ||= event === 'arrived-paused';
          note(event, receiveText({ event, ...data } as Parameters<typeof receiveText>[0]), { ...data, machine: name });
        },
      },
      onArrived: (machine) => {
        this.counts.arrived++;
        const kept = this.#keep(machine, lease, wasPaused, note).finally(() => this.#kept.delete(kept));
        this.#kept.add(kept);
      },
      onGone: (error) => {
        lease.giveBack();
        if (!isDescribed) return;
        this.counts.notArrived++;
        note('not-arrived', line`did not arrive: ${error.message}`, { message: error.message });
      },
      onEnd: () => {
        unwatch();
        release();
      },
    };
  }

  /** Keeps a machine until its end: savkit's own run in this process, guests of QEMU in processes of their own. */
  async #keep(
    machine: AnyMachine,
    lease: Lease<AnyMachine>,
    wasPaused: boolean,
    note: (event: string, text: TerminalText, data: object) => void,
  ): Promise<void> {
    if (!(machine instanceof ArrivingMachine)) {
      const { text, result } = outcomeOfGuest(machine, wasPaused, false);
      note('received', text, result);
      void untilEnded(machine).then(lease.giveBack);
      return;
    }
    try {
      const { control, keepIn, runFor, quiet } = this.#options;
      const socket = await this.#socketFor(machine.name, control);
      const onKept = (kept: KeptMachine) => {
        this.#machines.add(kept);
        void kept.running.ended.then(() => this.#machines.delete(kept));
      };
      const own = { onKept, control: socket, keepIn: newKeepFile(machine.name, keepIn).path, force: false, quiet };
      const options = runFor === undefined ? own : { ...own, runFor };
      const outcome = await keepArrived(machine, options, this.#report, this.#signal);
      this.#sockets.delete(socket);
      this.#count(outcome);
      note('ended', line`${outcome.text}`, { exitCode: outcome.exitCode, ...outcome.result });
    } catch (error) {
      this.counts.faulty++;
      const { message } = error as Error;
      note('ended', line`ended: ${message}`, { exitCode: ExitCode.INTERNAL, message });
    } finally {
      lease.giveBack();
    }
  }

  #count({ exitCode, result }: Outcome): void {
    const { movedTo, savedTo } = result as { movedTo: string | null; savedTo: string | null };
    if (movedTo !== null) this.counts.movedOn++;
    if (savedTo !== null) this.counts.saved++;
    if (exitCode !== ExitCode.OK) this.counts.faulty++;
  }

  /** A socket path that no other machine has; in a given folder, named after the machine. */
  async #socketFor(name: string, folder: string | undefined): Promise<string> {
    for (let number = 1; ; number++) {
      const suffix = number === 1 ? '' : `-${number}`;
      const path = folder === undefined ? defaultSocketPath(number) : join(folder, `${plainName(name)}${suffix}.sock`);
      if (this.#sockets.has(path)) continue;
      // The path is reserved at once, as another machine of this name may arrive meanwhile.
      this.#sockets.add(path);
      const isFree = await checkSocketPath(path).then(
        () => true,
        () => false,
      );
      // If no path is free, the machine runs without a socket, after a message.
      if (isFree || number >= MOST_SOCKETS) return path;
      this.#sockets.delete(path);
    }
  }
}

/** Resolves when the QEMU of a guest has ended, as long as this process lives. */
async function untilEnded({ process }: QemuTarget): Promise<void> {
  while (!(await process.hasEnded(0))) await setTimeout(LOOK_MS, undefined, { ref: false });
}
