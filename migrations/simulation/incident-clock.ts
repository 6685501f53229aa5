import { FRAME_HEADER_SIZE, FRAME_MAGIC, type FrameName, frameHeader, frameOfType } from '../wire/frames.ts';
import type { Incident, IncidentTime } from './scenario.ts';
import type { HostName } from './world/simulated-socket.ts';

/** Counts events, frames and disk operations of a play, and reports each incident when its count is reached. */
export class IncidentClock {
  readonly #counts = { happenings: 0, frames: 0, disk: { source: 0, target: 0 } };
  readonly #framesOf = new Map<FrameName, number>();
  readonly #commandsTo = new Map<string, number>();
  readonly #left: Set<Incident>;
  readonly #onDue: (incident: Incident) => void;

  constructor(incidents: Iterable<Incident>, onDue: (incident: Incident) => void) {
    this.#left = new Set(incidents);
    this.#onDue = onDue;
  }

  /** All incidents have been reported. */
  get areOver(): boolean {
    return this.#left.size === 0;
  }

  noteHappening(): void {
    this.#note('happenings');
  }

  noteFrame(bytes: Buffer): void {
    this.#note('frames');
    const name = this.#left.size === 0 ? undefined : nameOfFrame(bytes);
    if (name === undefined) return;
    const count = (this.#framesOf.get(name) ?? 0) + 1;
    this.#framesOf.set(name, count);
    this.#report((at) => at.after === 'frame' && at.name === name && at.count === count);
    this.#scheduleWorks(name, count);
  }

  /** To be called when a QEMU is given a command. */
  noteCommand(host: HostName, name: string): void {
    const key = `${host} ${name}`;
    const count = (this.#commandsTo.get(key) ?? 0) + 1;
    this.#commandsTo.set(key, count);
    this.#report((at) => at.after === 'command' && at.host === host && at.name === name && at.count === count);
  }

  noteDiskWork(host: HostName): void {
    const count = ++this.#counts.disk[host];
    if (this.#left.size > 0) this.#report((at) => at.after === 'disk' && at.host === host && at.count === count);
  }

  #note(what: 'happenings' | 'frames'): void {
    const count = ++this.#counts[what];
    if (this.#left.size > 0) this.#report((at) => at.after === what && at.count === count);
  }

  /** Gives incidents that are due some disk operations after a frame their absolute count, when the frame arrives. */
  #scheduleWorks(name: FrameName, count: number): void {
    for (const incident of this.#left) {
      const { at } = incident;
      if (at.after !== 'work' || at.name !== name || at.count !== count) continue;
      this.#left.delete(incident);
      this.#left.add({
        ...incident,
        at: { after: 'disk', host: at.host, count: this.#counts.disk[at.host] + at.works },
      });
    }
  }

  #report(isNow: (at: IncidentTime) => boolean): void {
    for (const incident of this.#left) {
      if (!isNow(incident.at)) continue;
      this.#left.delete(incident);
      this.#onDue(incident);
    }
  }
}

/** The name of a frame by its first bytes; undefined for bytes that do not begin with a whole frame header. */
export function nameOfFrame(bytes: Buffer): FrameName | undefined {
  const isBeginning = bytes.length >= FRAME_HEADER_SIZE && bytes.readUInt32LE(0) === FRAME_MAGIC;
  return isBeginning ? frameOfType(bytes[frameHeader.offsets.type]) : undefined;
}
