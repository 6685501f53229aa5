import type { Mutation } from '../mutations.ts';

const LIVE_SAVE = '../src/live-save/live-save.js';
const SINK = '../formats/files/sink.js';

/** Faults of live saves that the simulator has to find. */
export const SAVE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a saved file is not synced',
    file: SINK,
    from: 'await this.sync();',
    to: ';',
  },
  {
    name: 'the folder of a saved file is not synced',
    file: '../formats/files/file-name.js',
    from: 'await syncFolder(dirname(this.#place)).catch(',
    to: 'await Promise.resolve().catch(',
  },
  {
    name: 'a save that fails leaves what it has written',
    file: SINK,
    from: 'await world.disk.unlink(this.#temporary).catch(() => { });',
    to: ';',
  },
  {
    name: 'a save that fails in its last part leaves the machine as it is',
    file: LIVE_SAVE,
    from: "if (this.#step === 'final')",
    to: 'if (false)',
  },
  {
    name: 'pages stay monitored after a live save',
    file: LIVE_SAVE,
    from: 'await this.#tracker.finishInTurns();',
    to: ';',
  },
  {
    name: 'a page is left out of the last pass',
    file: '../src/live-save/ram-tracker.js',
    from: 'if (entries[at] & (Live.DIRTY | Live.IGNORE) && range',
    to: 'if (at % 7 !== 3 && entries[at] & (Live.DIRTY | Live.IGNORE) && range',
  },
];
