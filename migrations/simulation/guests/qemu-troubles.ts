import type { Incident } from '../scenario.ts';
import type { SimulatedHost } from '../world/simulated-process.ts';
import type { HostName } from '../world/simulated-socket.ts';
import type { Timeline } from '../world/timeline.ts';
import type { SimulatedQemu } from './simulated-qemu.ts';

type QemuIncident = Extract<Incident, { kind: 'qemu' }>;

/** The QEMUs of a play, and the guest that moves between them. */
interface QemuGround {
  readonly timeline: Timeline;
  readonly isCalm: boolean;
  readonly hosts: Record<HostName, SimulatedHost>;
  readonly qemus: readonly SimulatedQemu[];
  readonly guest: { readonly hasRunThere: boolean };
  recordOf(host: HostName): string;
  /** QEMUs that live. */
  at(host: SimulatedHost): SimulatedQemu[];
}

/** Lets QEMUs fail, and their users interfere. */
export class QemuTroubles {
  /** Users have brought about a fault that savkit could not prevent. */
  areUsersFault = false;
  readonly #ground: QemuGround;
  /** Commands that QEMUs refuse once. */
  readonly #refused: QemuIncident[] = [];

  constructor(ground: QemuGround) {
    this.#ground = ground;
  }

  /** To be called before a QEMU carries out a command. @returns its message if it refuses */
  onCommand(qemu: SimulatedQemu, command: string): string | undefined {
    const { name } = qemu.process.host;
    if (command === 'cont') this.#excuse(qemu);
    const index = this.#ground.isCalm
      ? -1
      : this.#refused.findIndex(({ host, command: each }) => host === name && each === command);
    if (index < 0) return undefined;
    this.#refused.splice(index, 1);
    return 'it is refused on purpose';
  }

  /**
   * Excuses a second guest that runs: somebody has let the source's guest run after savkit had looked for the last
   * time.
   */
  #excuse(next: SimulatedQemu): void {
    const isTarget = next.process.host.name === 'target';
    if (isTarget && this.#ground.qemus.some(({ runsUnnoticed }) => runsUnnoticed)) this.areUsersFault = true;
  }

  cause(trouble: QemuIncident): void {
    const { act, ms, host } = trouble;
    const { timeline, hosts } = this.#ground;
    if (act === 'refuse') this.#refused.push(trouble);
    for (const qemu of this.#ground.at(hosts[host])) {
      const later = (work: () => void) => timeline.add(0, qemu.process, work);
      if (act === 'kill') [qemu.wasEnded] = [true, qemu.process.end('killed')];
      if (act === 'freeze') qemu.process.stop(ms);
      if (act === 'hang') qemu.qmp.heldUntil = timeline.now + ms;
      if (act === 'hang-up') later(() => qemu.qmp.hangUp());
      if (act === 'refuse-load') qemu.refuseToLoad();
      // A deaf QEMU does not hear its users, either.
      if (host === 'source') later(() => qemu.qmp.onceHearing(() => this.#userActs(qemu, act)));
    }
  }

  /** Users leave a QEMU alone that waits for its guest. */
  #userActs(qemu: SimulatedQemu, act: QemuIncident['act']): void {
    if (act === 'quit') {
      qemu.wasEnded = true;
      qemu.quit();
    }
    if (act === 'stop') {
      const { runsUnnoticed } = qemu;
      qemu.stop();
      // This user does not tell savkit that the guest has run meanwhile.
      qemu.runsUnnoticed = runsUnnoticed;
    }
    if (act !== 'cont' || (qemu.status !== 'paused' && qemu.status !== 'postmigrate')) return;
    // A user who lets a guest run that has moved on runs it twice.
    if (this.#ground.guest.hasRunThere) return;
    const { hosts } = this.#ground;
    const decided = hosts.source.files.names.get(this.#ground.recordOf('source'))?.bytes.toString() ?? '';
    if (/"(handed-over|done)"/.test(decided)) this.areUsersFault = true;
    qemu.cont();
    qemu.runsUnnoticed = true;
  }
}
