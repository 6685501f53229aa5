/** A fault put into the code on purpose: in a file of `dist`, one text is replaced by another. */
export interface Mutation {
  name: string;
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

/** Faults of migrations that the simulator has to find. */
export const MUTATIONS: readonly Mutation[] = [
  { name: 'a record is not synced', file: RECORD, from: 'await file.sync();', to: ';' },
  {
    name: 'the folder of a record is not synced',
    file: RECORD,
    from: 'return await syncFolder(dirname(path));',
    to: 'return;',
  },
  {
    name: 'a decision that a crash can undo counts',
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
    name: 'the source takes back a machine that it handed over to a living target',
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
    name: 'a target takes part in a migration that is over by its record',
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
    name: 'the source does not wait until the machine has stopped',
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
    name: 'no decision is written after one that could not be written',
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
    name: 'a source that waits does not read the decision again',
    file: 'source/in-doubt.js',
    from: "if (written === 'kept')",
    to: 'if (false)',
  },
];
