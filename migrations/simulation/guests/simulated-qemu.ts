import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { SimulatedFile } from '../../../formats/testing/simulated-files.ts';
import { world } from '../../../formats/world/world.ts';
import { type GuestOwner, GuestPulse, type SimulatedGuest } from '../simulated-guest.ts';
import type { GuestOfProcess, SimulatedProcess } from '../world/simulated-process.ts';
import type { Devices } from './device-blob.ts';
import { DiskCopies, DiskServer, SECTORS } from './disk-copies.ts';
import { answerFacts } from './qemu-facts.ts';
import { IncomingDevices, OutgoingDevices } from './qemu-migration.ts';
import { QmpPeer } from './qmp-peer.ts';

/** Surroundings of a simulated QEMU. */
export interface QemuSurroundings {
  readonly guest: SimulatedGuest<SimulatedQemu>;
  /** The guest's disks as they must be. */
  readonly disks: readonly Uint8Array[];
  /** The QEMUs are of version 7.2. */
  readonly areOld: boolean;
  /** Words of a QEMU within a moment arrive together. */
  readonly joinsAnswers: boolean;
  /** Checks the disks of a QEMU whose guest goes on. */
  checkDisks(qemu: SimulatedQemu): void;
  /** Called before each command. @returns the reason of a refusal, if there is one */
  onCommand(qemu: SimulatedQemu, command: string): string | undefined;
}

type RunState = 'running' | 'paused' | 'inmigrate' | 'finish-migrate' | 'postmigrate';

const STARTS_WITHIN_MS = 30;
const QUITS_AFTER_MS = 3;

/** Settings of a QEMU's migrations, as its owner has them. */
const FIRST_CAPABILITIES = { xbzrle: true, multifd: false, 'x-ignore-shared': false, 'pause-before-switchover': false };
const FIRST_PARAMETERS = { 'max-bandwidth': 134_217_728, 'downtime-limit': 300 };

/** A QEMU as savkit sees one: its memory is a file, its devices are a few bytes, its states are as in the real one. */
export class SimulatedQemu implements GuestOwner, GuestOfProcess {
  readonly name = 'simulated';
  readonly process: SimulatedProcess;
  ticks = 0;
  status: RunState;
  readonly qmp: QmpPeer;
  readonly capabilities: Record<string, boolean> = { ...FIRST_CAPABILITIES };
  readonly parameters: Record<string, unknown> = { ...FIRST_PARAMETERS };
  /** QEMU was told to quit. */
  hasQuit = false;
  /** Users, faults or crashes have ended QEMU. */
  wasEnded = false;
  /** Somebody besides savkit has let the guest run, and nobody has asked for its state since. */
  runsUnnoticed = false;
  /** Longest time for which QEMU was deaf, as a stop had to wait for disks, in ms. */
  longestFlush = 0;
  /** Each is called with each page that the guest writes. */
  readonly onWritten = new Set<(page: number) => void>();
  /** The disks of the guest. */
  readonly disks: readonly Uint8Array[];
  readonly copies: DiskCopies;
  readonly #server: DiskServer;
  readonly ramPath: string;
  /** Memory is not shared: other processes reach it in QEMU's process only. */
  readonly isPrivate: boolean;
  readonly isOld: boolean;
  readonly #ram: SimulatedFile;
  readonly #qmpPath: string;
  readonly #around: QemuSurroundings;
  readonly #pulse: GuestPulse;
  readonly #outgoing: OutgoingDevices;
  readonly #incoming: IncomingDevices;
  /** A guest that ran when its devices were saved runs once they are loaded. */
  #runsWhenLoaded: boolean;

  /** @param words of the command line; QEMU opens its socket some time later */
  constructor(process: SimulatedProcess, words: readonly string[], around: QemuSurroundings) {
    const line = words.join(' ');
    this.process = process;
    this.#around = around;
    this.ramPath = /mem-path=([^, ]+)/.exec(line)?.[1] ?? '';
    this.#qmpPath = /unix:([^, ]+)/.exec(line)?.[1] ?? '';
    this.isOld = around.areOld;
    this.isPrivate = /memory-backend-ram/.test(line);
    this.disks = around.disks.map(() => new Uint8Array(SECTORS));
    this.copies = new DiskCopies(this.disks, (event, data) => this.qmp.event(event, data));
    this.#server = new DiskServer(this.disks);
    const isTarget = words.includes('-incoming');
    this.status = isTarget ? 'inmigrate' : 'paused';
    this.#runsWhenLoaded = !words.includes('-S');
    const { files } = process.host;
    this.#ram = files.names.get(this.ramPath) ?? files.create(this.ramPath);
    this.#ram.resize(around.guest.scenario.pages * PAGE_SIZE);
    world.disk.openSync(this.ramPath, 'r+');
    process.guest = this;
    this.#pulse = new GuestPulse(around.guest);
    this.#outgoing = new OutgoingDevices(this);
    this.#incoming = new IncomingDevices(this);
    const version = this.isOld ? [7, 2, 22] : [10, 0, 2];
    const manner = { version, joinsAnswers: around.joinsAnswers };
    this.qmp = new QmpPeer(process, manner, (command, args) => this.#answer(command, args));
    const { timeline, random } = process.host.around;
    const listen = () => void world.sockets.listen(this.#qmpPath, (socket) => this.qmp.accept(socket));
    timeline.add(isTarget ? random.below(STARTS_WITHIN_MS) : 0, process, listen);
  }

  get memory(): Uint8Array {
    return this.#ram.bytes;
  }

  /** Whether the settings are as they were at first. */
  get hasFirstSettings(): boolean {
    const now = JSON.stringify([this.capabilities, this.parameters]);
    return now === JSON.stringify([FIRST_CAPABILITIES, FIRST_PARAMETERS]);
  }

  catchUp(now: number): void {
    this.#pulse.catchUp(
      now,
      () => this.status === 'running' && !this.process.isGone,
      () => {
        this.ticks = this.#around.guest.tick(this.#ram.bytes, (page) => {
          for (const note of this.onWritten) note(page);
        });
        this.#writeDisks();
      },
    );
  }

  /** Has the guest write to its disks in turn. */
  #writeDisks(): void {
    const { disks } = this.#around;
    if (disks.length === 0) return;
    const [number, sector, content] = [this.ticks % disks.length, (this.ticks * 7) % SECTORS, this.ticks & 255];
    disks[number][sector] = content;
    this.copies.write(number, sector, content);
  }

  holdUntil(time: number): void {
    this.#pulse.holdUntil(time);
  }

  stop(): void {
    if (this.status === 'inmigrate') this.#runsWhenLoaded = false;
    if (this.status === 'running') this.standStill('paused');
    else this.#flush();
  }

  cont(): void {
    if (this.status === 'inmigrate') this.#runsWhenLoaded = true;
    if (this.status === 'finish-migrate') throw new Error('The devices are being saved');
    if (this.status === 'paused' || this.status === 'postmigrate') this.#run();
  }

  /** Lets the next load of devices fail. */
  refuseToLoad(): void {
    this.#incoming.refuses = true;
  }

  /** Ends QEMU, as on the command `quit`. */
  quit(): void {
    const { timeline } = this.process.host.around;
    this.hasQuit = true;
    this.qmp.event('SHUTDOWN');
    timeline.add(QUITS_AFTER_MS, this.process, () => {
      if (this.process.host.files.names.has(this.#qmpPath)) world.disk.unlinkSync(this.#qmpPath);
      this.process.end('killed');
    });
  }

  /** Stops the guest. @returns whether it ran */
  standStill(status: RunState): boolean {
    this.catchUp(this.process.host.around.timeline.now);
    const ran = this.status === 'running';
    this.status = status;
    if (ran) {
      this.#around.guest.leave(this);
      this.runsUnnoticed = false;
      this.qmp.event('STOP');
    }
    this.#flush();
    return ran;
  }

  /** Makes QMP deaf, as a QEMU that stops, until disks and their copies have all writes. */
  #flush(): void {
    const work = this.copies.flush();
    if (!work) return;
    const { timeline } = this.process.host.around;
    const from = timeline.now;
    const over = work.then(() => {
      this.longestFlush = Math.max(this.longestFlush, timeline.now - from);
    });
    this.qmp.isDeafFor(over);
  }

  /** To be called when the devices have been saved, or will not be. */
  endSave(status: RunState, runs: boolean): void {
    if (runs) this.#run();
    else this.status = status;
  }

  load({ ticks, ran }: Devices): void {
    this.ticks = ticks;
    if (ran && this.#runsWhenLoaded) this.#run();
    else this.status = 'paused';
  }

  #run(): void {
    this.#around.guest.take(this);
    if (this.#server.isOpen) this.#around.guest.faults.push('a guest runs whose disk others may fill');
    this.#around.checkDisks(this);
    this.status = 'running';
    this.#pulse.beginAt(this.process.host.around.timeline.now);
    this.qmp.event('RESUME');
  }

  #answer(command: string, args: Record<string, unknown>): unknown {
    const refusal = this.#around.onCommand(this, command);
    if (refusal !== undefined) throw new Error(refusal);
    switch (command) {
      case 'query-status':
        this.runsUnnoticed = false;
        return { status: this.status, running: this.status === 'running' };
      case 'stop':
        return this.stop() ?? {};
      case 'cont':
        return this.cont() ?? {};
      case 'quit':
        return this.quit() ?? {};
      case 'migrate':
        return this.#outgoing.begin(String(args.uri)) ?? {};
      case 'blockdev-add':
        return this.copies.addNode(args);
      case 'blockdev-del':
        return this.copies.deleteNode(args) ?? {};
      case 'blockdev-mirror':
        return this.copies.begin(args) ?? {};
      case 'query-block-jobs':
        return this.copies.jobs;
      case 'block-job-cancel':
        return this.copies.cancel(args) ?? {};
      case 'nbd-server-start':
        return this.#server.start(args) ?? {};
      case 'nbd-server-stop':
        return this.#server.stop() ?? {};
      case 'block-export-add':
        return this.#server.addExport(args) ?? {};
      case 'block-export-del':
        return this.#server.deleteExport(args) ?? {};
      case 'migrate-continue':
        return this.#outgoing.goOn() ?? {};
      case 'migrate_cancel':
        return this.#outgoing.cancel() ?? {};
      case 'migrate-incoming':
        return this.#incoming.expect(String(args.uri)) ?? {};
      case 'query-migrate':
        return this.status === 'inmigrate' || this.#incoming.status ? this.#incoming.told : this.#outgoing.told;
      case 'migrate-set-capabilities':
        if (this.#outgoing.isUnderWay) throw new Error("There's a migration process in progress");
        for (const { capability, state } of args.capabilities as { capability: string; state: boolean }[])
          this.capabilities[capability] = state;
        return {};
      case 'migrate-set-parameters':
        return Object.assign(this.parameters, args) && {};
      default:
        return answerFacts(this, command, args);
    }
  }
}
