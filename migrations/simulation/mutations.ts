/** A fault put into the code on purpose: in a file of `dist`, one text is replaced by another. */
export interface Mutation {
  name: string;
  /** Campaign that finds the fault; default: migrations. */
  foundBy?: 'saves' | 'teleports' | 'guests';
  /** First seed to play, for a rare fault; default: 1. */
  firstSeed?: number;
  file: string;
  from: string;
  to: string;
}

const RECORD = 'hand-over/decision-record.js';
const RECEIVER = 'arrival/receiver.js';
const TARGET_CUSTODY = 'arrival/target-custody.js';
const CUSTODY = 'source/source-custody.js';
const LIVE_SAVE = '../src/live-save/live-save.js';
const TELEPORT = 'teleporter/teleport-running.js';
const SINK = '../formats/files/sink.js';
const QEMU_SOURCE = 'guests/qemu-source.js';
const BORROWED_SETTINGS = 'qmp/borrowed-settings.js';

/** Faults that the simulator has to find. */
export const MUTATIONS: readonly Mutation[] = [
  { name: 'a record is not synced', file: RECORD, from: 'await file.sync();', to: ';' },
  {
    name: 'the folder of a record is not synced',
    file: RECORD,
    from: 'return await syncFolder(dirname(path));',
    to: 'return;',
  },
  {
    name: 'a decision counts that a crash can undo',
    firstSeed: 100_086_445,
    file: RECORD,
    from: 'if (await takeBack(path, before))',
    to: 'if (!(await takeBack(path, before)))\n            return;\n        else',
  },
  {
    name: 'the source tells the target before it has written down its decision',
    file: 'source/source-session.js',
    from: "await custody.handOver();\n        await this.#link.control.channel.send('commit', {});",
    to: "await this.#link.control.channel.send('commit', {});\n        await custody.handOver();",
  },
  {
    name: 'the source does not write down its decision',
    file: CUSTODY,
    from: "await this.#write('handed-over');",
    to: ';',
  },
  {
    name: 'the source goes on where its link breaks after the decision',
    file: 'source/migration.js',
    from: "if (custody.state === 'handed-over')\n                    return this.#askTarget(error);",
    to: ';',
  },
  {
    name: 'the target starts the machine before it has written that down',
    file: TARGET_CUSTODY,
    from: "await arrival.decide('started');",
    to: "this.#launch(arrival, arrival.machine), await arrival.decide('started');",
  },
  {
    name: 'a target that is ready gives up when its link breaks',
    file: TARGET_CUSTODY,
    from: "const isOver = arrival.state === 'receiving' &&",
    to:
      "if (arrival.state === 'ready') { arrival.enter('link-lost'); return this.giveUp(arrival, error); }\n" +
      "        const isOver = arrival.state === 'receiving' &&",
  },
  {
    name: 'the number of a process of another host is looked up on this one',
    file: '../formats/world/place.js',
    from: 'if (place === here)',
    to: 'if (true)',
  },
  {
    name: 'what was handed over to a target that lives is given back',
    file: 'hand-over/resolve.js',
    from: "if (target.alive === 'unknown')",
    to: "if (target.alive === 'unknown') return { survivor: 'source', write: givesUp, because: '' };\n    if (false)",
  },
  {
    name: 'the number of a process that has ended stands for one that has got it since',
    file: '../formats/world/place.js',
    from: 'isRunning(pid, begunAt)',
    to: 'isRunning(pid)',
  },
  {
    name: 'a target takes a migration that its record says is over',
    file: TARGET_CUSTODY,
    from: 'await this.#checkIsNew(arrival);',
    to: ';',
  },
  {
    name: 'an older link is not ended before a newer one goes on',
    file: RECEIVER,
    from: 'arrival.attempt = hello.attempt;\n        await this.#endLink();',
    to: 'arrival.attempt = hello.attempt;',
  },
  {
    name: 'a write of the guest is left out of a round',
    file: 'machine/page-set.js',
    from: 'union(other) {',
    to: 'union(other) {\n        if (other.size > 1 && other.size % 5 === 2) other.delete(other.next(0));',
  },
  {
    name: 'the last writes before the stop are not sent',
    file: 'source/source-session.js',
    from: 'await proof.takeLastDirty(transfer.pending);',
    to: ';',
  },
  {
    name: 'a page that was acknowledged is not written into memory',
    file: 'pages/page-decoder.js',
    from: 'this.#machine.writePages(this.#run, length, payload, this.#runAt);',
    to: 'if (this.#run[0] % 7 !== 3) this.#machine.writePages(this.#run, length, payload, this.#runAt);',
  },
  {
    name: 'the machine is not waited for when it is stopped',
    file: CUSTODY,
    from: 'await this.#machine.pause();',
    to: 'void this.#machine.pause();',
  },
  {
    name: 'registers and devices are not taken over',
    file: 'arrival/machine-seal.js',
    from: 'await machine.loadRest(rest);',
    to: ';',
  },
  {
    name: 'a link that fails while further streams join leaves those open',
    file: 'source/source-link.js',
    from: 'for (const channel of channels)\n                channel.destroy();',
    to: 'channels[0]?.destroy();',
  },
  {
    name: 'after a decision that could not be written no other is',
    file: 'arrival/arrival.js',
    from: 'const written = this.#written.then(write, write);',
    to: 'const written = this.#written.then(write);',
  },
  {
    name: 'a target whose program is over takes a machine',
    file: RECEIVER,
    from: 'if (isFree && this.#isClosed)',
    to: 'if (false)',
  },
  {
    name: 'a target waits for a source that has refused',
    file: 'arrival/target-session.js',
    from: "if (this.#arrival.may('cancel'))\n                    this.#arrival.enter('cancel');",
    to: ';',
  },
  {
    name: 'what is decided is not read again by a source that waits',
    file: 'source/in-doubt.js',
    from: "if (written === 'kept')",
    to: 'if (false)',
  },
  {
    name: 'a saved file is not synced',
    foundBy: 'saves',
    file: SINK,
    from: 'await this.sync();',
    to: ';',
  },
  {
    name: 'the folder of a saved file is not synced',
    foundBy: 'saves',
    file: '../formats/files/file-name.js',
    from: 'await syncFolder(dirname(this.#place)).catch(',
    to: 'await Promise.resolve().catch(',
  },
  {
    name: 'a save that fails leaves what it has written',
    foundBy: 'saves',
    file: SINK,
    from: 'await world.disk.unlink(this.#temporary).catch(() => { });',
    to: ';',
  },
  {
    name: 'a save that fails in its last part leaves the machine as it is',
    foundBy: 'saves',
    file: LIVE_SAVE,
    from: "if (this.#step === 'final')",
    to: 'if (false)',
  },
  {
    name: 'pages stay monitored after a live save',
    foundBy: 'saves',
    file: LIVE_SAVE,
    from: 'await this.#tracker.finishInTurns();',
    to: ';',
  },
  {
    name: 'a page is left out of the last pass',
    foundBy: 'saves',
    file: '../src/live-save/ram-tracker.js',
    from: 'if (entries[at] & (Live.DIRTY | Live.IGNORE) && range',
    to: 'if (at % 7 !== 3 && entries[at] & (Live.DIRTY | Live.IGNORE) && range',
  },
  {
    name: 'a machine that is teleported may be changed',
    foundBy: 'teleports',
    file: TELEPORT,
    from: 'percent === 100 && running.hold()',
    to: 'percent',
  },
  {
    name: 'a machine goes on after a teleport whose answer got lost',
    foundBy: 'teleports',
    file: TELEPORT,
    from: "departure.letGo(error instanceof SavkitError && error.code === 'hand-over-unknown');",
    to: 'departure.letGo(false);',
  },
  {
    name: 'a source that gets no answer to a hand-over is told that its machine stays',
    foundBy: 'teleports',
    file: 'teleporter/sender.js',
    from: 'throw this.#unknown(undefined);',
    to: "throw this.#lost('hand-over');",
  },
  {
    name: 'a hand-over is acknowledged before the machine is in its file',
    foundBy: 'teleports',
    file: 'teleporter/receiver.js',
    from: 'await actions.takeOver();',
    to: 'await peer.write(encodeReply({ ack: true })), await actions.takeOver();',
  },
  {
    name: 'a guest that somebody else has let run is handed over',
    foundBy: 'guests',
    file: QEMU_SOURCE,
    from: "if (!this.#startedByOthers && status !== 'running')",
    to: 'if (true)',
  },
  {
    name: 'a guest is not waited for when it is stopped',
    foundBy: 'guests',
    file: QEMU_SOURCE,
    from: "await this.#qmp.execute('stop');",
    to: "void this.#qmp.execute('stop');",
  },
  {
    name: 'a guest that was paused is let run',
    foundBy: 'guests',
    file: QEMU_SOURCE,
    from: 'if (this.#wasPaused)\n            return;',
    to: '\n',
  },
  {
    name: 'the QEMU of a guest that has left is not ended',
    foundBy: 'guests',
    file: QEMU_SOURCE,
    from: "await this.#qmp.execute('quit').catch(() => { });",
    to: ';',
  },
  {
    name: 'a page that the kernel has noted is left out',
    foundBy: 'guests',
    file: 'guests/memory/write-watch.js',
    from: 'page < Math.min(first + count,',
    to: 'page < Math.min(first + count - (count > 1 ? 1 : 0),',
  },
  {
    name: 'memory is not compared where the kernel ceases to note writes',
    foundBy: 'guests',
    file: 'guests/written-pages.js',
    from: 'this.#options.onWatchLost?.(error);\n        }\n        //',
    to: 'return;\n        }\n        //',
  },
  {
    name: 'pages that the kernel has noted before an error are all that are sent',
    foundBy: 'guests',
    file: 'guests/memory/write-watch.js',
    from: 'if (count === 0)\n                        return;',
    to: 'return;',
  },
  {
    name: 'memory that QEMU hands out is not taken out',
    foundBy: 'guests',
    file: 'guests/device-save.js',
    from: '...(size > 0 ? stripped : {})',
    to: '...{}',
  },
  {
    name: 'a save of devices that is under way is not cancelled',
    foundBy: 'guests',
    file: 'guests/device-save.js',
    from: 'await cancelSave(qmp).catch(() => { });',
    to: ';',
  },
  {
    name: 'the end of the copies of disks is not waited for',
    foundBy: 'guests',
    file: QEMU_SOURCE,
    from: 'await this.#mirror?.finish();',
    to: ';',
  },
  {
    name: 'copies of disks stay where a guest does',
    foundBy: 'guests',
    file: QEMU_SOURCE,
    from: 'await mirror?.abandon();',
    to: ';',
  },
  {
    name: 'a disk is open to others while its guest runs',
    foundBy: 'guests',
    file: 'guests/qemu-target.js',
    from: 'await this.#disks.close();',
    to: ';',
  },
  {
    name: 'the settings of a QEMU are not put back',
    foundBy: 'guests',
    file: BORROWED_SETTINGS,
    from: 'if (former)',
    to: 'if (false)',
  },
  {
    name: 'the settings of a QEMU are put back at once or never',
    foundBy: 'guests',
    file: BORROWED_SETTINGS,
    from: 'if (await isOver())',
    to: 'if (true)',
  },
  {
    name: 'nobody is told of settings of a QEMU that stay changed',
    foundBy: 'guests',
    file: BORROWED_SETTINGS,
    from: 'this.#onLeft?.(error);',
    to: ';',
  },
  {
    name: 'the settings of a QEMU that has taken its guest are not put back',
    foundBy: 'guests',
    file: 'guests/qemu-target.js',
    from: 'this.#isPutBack = this.#borrowed.putBackAtLast(',
    to: 'void (',
  },
  {
    name: 'devices that were saved before are not found again',
    foundBy: 'guests',
    file: QEMU_SOURCE,
    from: 'if (status === HAS_SAVED)',
    to: 'if (false)',
  },
  {
    name: 'a page that a guest has written is not found',
    foundBy: 'guests',
    file: 'guests/memory/scan-chunks.js',
    from: 'found[page >>> 5] |= 1 << (page & 31);',
    to: 'if (page % 7 !== 3)\n                found[page >>> 5] |= 1 << (page & 31);',
  },
  {
    name: 'a QEMU that no record names outlives savkit',
    foundBy: 'guests',
    file: 'guests/qemu-host.js',
    from: 'guard = endWithUs(process.pid, folder);',
    to: ';',
  },
  {
    name: 'a QEMU is not ended where its guest does not arrive',
    foundBy: 'guests',
    file: 'guests/qemu-target.js',
    from: 'this.process.kill();',
    to: ';',
  },
  {
    name: "a QEMU whose guest is the other side's is not ended",
    foundBy: 'guests',
    file: 'guests/settle-guest.js',
    from: 'if (!isSurvivor)',
    to: 'if (false)',
  },
  {
    name: 'a guest that did not start is not started again',
    foundBy: 'guests',
    file: TARGET_CUSTODY,
    from: 'this.#launchLater(arrival, machine);',
    to: ';',
  },
  {
    name: 'devices are sent to a QEMU that has loaded some',
    foundBy: 'guests',
    file: TARGET_CUSTODY,
    from: 'arrival.machine?.arriveAgain?.();',
    to: ';',
  },
];
