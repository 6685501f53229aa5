// Saves a machine while it runs: node examples/save-live.js RESULT

import { openFile, openFileSink, verify } from 'savkit';
import { emptyMachine, liveSave, RunningMachine } from 'savkit/machine';

const [result] = process.argv.slice(2);
const running = RunningMachine.of(await emptyMachine(64 * 1024 * 1024), { kind: 'hot', pages: 500, rate: 2000 });
running.resume();
const sink = await openFileSink(result);
const { passes, downtimeMs } = await liveSave(running, sink, { maxDowntimeMs: 100 });
await sink.commit();
running.stop();
for (const { pass, pages } of passes) console.log(`pass ${pass}: ${pages} pages`);
console.log(`stood still for ${Math.round(downtimeMs)} ms`);

const source = await openFile(result);
console.log((await verify(source)).verdict);
await source.close();
