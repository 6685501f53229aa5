// Watches writes of a machine that runs a workload: node examples/watch-writes.js

import { emptyMachine, RunningMachine } from 'savkit/machine';

const running = RunningMachine.of(await emptyMachine(64 * 1024 * 1024), { kind: 'hot', pages: 100, rate: 1000 });
const { memory } = running;

// A handler is called for each write to its addresses.
let calls = 0;
memory.handlers.register({
  kind: 'write',
  start: 0x30000,
  end: 0x31000,
  description: 'watch one page',
  callback() {
    calls++;
    return 'default'; // the write goes on to memory
  },
});
memory.writeU32(0x30010, 0xdeadbeef);
console.log(`handler called ${calls} times`);

// The monitor costs nothing after the first write to a page, and tells which pages were written.
const frames = new Uint32Array(65_536);
memory.monitor.engage('example');
memory.monitor.take(frames); // takes all pages that have memory; from now on a page counts after a write
memory.monitor.rewind();
running.resume();
running.runSteps(1000);
running.pause();
const written = memory.monitor.take(frames);
memory.monitor.release('example');
console.log(`${written} pages written, the first at 0x${(frames[0] * 4096).toString(16)}`);
running.stop();
