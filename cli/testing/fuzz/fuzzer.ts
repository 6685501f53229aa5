import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import zlib from 'node:zlib';
import {
  addDictionary,
  asFindingAwareFuzzFn,
  initFuzzing,
  OptionSource,
  OptionsManager,
  registerGlobals,
  startFuzzingNoInit,
} from '@jazzer.js/core';
import { Coverage, tellFewComparisons } from './coverage.ts';
import { inflateNow, settleNow } from './settle-now.ts';

// node fuzzer.js TARGET [FOLDER…] [-OPTION…]: the process that fuzzes one target, with folders of inputs and options of
// libFuzzer. Jazzer's own command line would go through the event loop, and so through another thread, for each input;
// here an input is a plain call.
//
// node fuzzer.js TARGET --fewest FOLDER: names inputs of a folder, short ones first, that reach all that its inputs do.

const require = createRequire(createRequire(import.meta.url).resolve('@jazzer.js/core'));
const { registerEsmLoaderHooks } = require('@jazzer.js/instrumentor');

const STACK = 30;
const [name, ...fuzzerOptions] = process.argv.slice(2);
const options = new OptionsManager(OptionSource.DefaultCLIOptions).merge(
  {
    includes: ['/dist/'],
    excludes: ['node_modules', '/testing/'],
    // This detector looks at some hundred properties after each input; `expectPlain` does so faster.
    disableBugDetectors: ['prototype-pollution'],
    sync: true,
    fuzzerOptions,
  },
  OptionSource.CommandLineArguments,
);
registerGlobals(options);
addDictionary('"__proto__"', '"constructor"', '"prototype"');
const coverage = new Coverage();
const instrumentor = await initFuzzing(options);
registerEsmLoaderHooks(instrumentor);
instrumentor.sendHooksToLoader();
const beginInput = tellFewComparisons();

Object.defineProperty(zlib, 'createInflate', { value: inflateNow });
syncBuiltinESMExports();

const targets: Record<string, (bytes: Buffer) => unknown> = { ...(await import('./targets.ts')) };
const { setChoice } = await import('./choice.ts');
const { enterWorld, REAL_WORLD } = await import('../../../formats/world/world.ts');
// The event loop has no turn between two inputs, and none within one.
enterWorld({ ...REAL_WORLD, time: { ...REAL_WORLD.time, turn: queueMicrotask } });

const target = targets[name];
// Traces take most of the time of a refusal, and most inputs are refused several times.
Error.stackTraceLimit = 0;
const run = asFindingAwareFuzzFn((bytes: Buffer) => {
  beginInput();
  try {
    read(bytes);
  } catch (error) {
    // Reads once more with all checks, so that the error names its place.
    Error.stackTraceLimit = STACK;
    setChoice(() => true);
    read(bytes);
    throw error;
  }
});

function read(bytes: Buffer): void {
  settleNow(() => target(bytes));
  expectPlain();
}

/** Expects that an input has added nothing to the properties of all objects and lists. */
function expectPlain(): void {
  for (const key in []) throw new Error(`An input has given each object a property ${key}`);
}

if (fuzzerOptions[0] === '--fewest') {
  for (const file of await fewestOf(fuzzerOptions[1])) console.log(file);
} else {
  setChoice(() => coverage.hasGrown());
  // Begins outside of any promise's callback, since no other callback can be called within one.
  setImmediate(async () => {
    const { returnCode } = await startFuzzingNoInit(run, options);
    process.exit(returnCode);
  });
}

async function fewestOf(folder: string): Promise<string[]> {
  const inputs = readdirSync(folder).map((file) => ({ file, bytes: readFileSync(join(folder, file)) }));
  inputs.sort((one, other) => one.bytes.length - other.bytes.length);
  const fewest: string[] = [];
  for (const { file, bytes } of inputs) {
    await target(bytes);
    if (coverage.hasGrown()) fewest.push(file);
  }
  return fewest;
}
