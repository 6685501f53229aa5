import type { Mutation } from '../mutations.ts';

const TELEPORT = 'teleporter/teleport-running.js';

/** Faults of teleports that the simulator has to find. */
export const TELEPORT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a machine that is teleported may be changed',
    file: TELEPORT,
    from: 'percent === 100 && running.hold()',
    to: 'percent',
  },
  {
    name: 'a machine goes on after a teleport whose answer got lost',
    file: TELEPORT,
    from: "departure.letGo(error instanceof SavkitError && error.code === 'hand-over-unknown');",
    to: 'departure.letGo(false);',
  },
  {
    name: 'a source that gets no answer to a hand-over is told that its machine stays',
    file: 'teleporter/sender.js',
    from: 'throw this.#unknown(undefined);',
    to: "throw this.#lost('hand-over');",
  },
  {
    name: 'a hand-over is acknowledged before the machine is in its file',
    file: 'teleporter/receiver.js',
    from: 'await actions.takeOver();',
    to: 'await peer.write(encodeReply({ ack: true })), await actions.takeOver();',
  },
];
