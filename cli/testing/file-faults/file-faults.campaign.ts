import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { FORMS, type Form, READERS } from './forms.ts';
import { Ground } from './ground.ts';
import { tryLiveSaves } from './live-saves.ts';
import { Shim } from './shim.ts';
import { type Place, tryChanges, tryChangingCalls, tryReadingCalls } from './trials.ts';

// npm run campaign -- file-faults [--only WORDS] [--calls N] [--thorough] [--minutes M] [--workers N]: the built savkit,
// above a layer in which calls of the system on its files fail or give half of the bytes, or before which the process is
// killed, or an input is changed. For each command each call in turn, at most N of them, evenly spread; --thorough has
// every fault at each. Then outputs are whole or not there, older ones and inputs as they were, and nothing else is
// left; an input that changes is told. Needs Linux and a C compiler.

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    calls: { type: 'string', default: '36' },
    thorough: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '20' },
    workers: { type: 'string', default: '2' },
  },
});
const deadline = performance.now() + Number(values.minutes) * 60_000;

/** Result of a part of the campaign: the number of trials, and the faults. */
interface Part {
  name: string;
  run(place: Place): Promise<void>;
}

const parts: Part[] = [
  { name: 'live-save: calls that write', run: tryLiveSaves },
  ...FORMS.flatMap((form) => [
    part('calls that write', form, tryChangingCalls),
    part('calls that read', form, tryReadingCalls),
    part('changes of inputs', form, tryChanges),
  ]),
  ...READERS.map((form) => part('changes of inputs', form, tryChanges)),
].filter(({ name }) => name.includes(values.only));
const wrong: string[] = [];
let trials = 0;
let left = 0;

if (process.platform !== 'linux' || spawnSync(process.env.CC ?? 'cc', ['--version']).status !== 0) {
  console.error('This campaign needs Linux and a C compiler (cc, or the one that CC names)');
  process.exit(2);
}
await Promise.all(Array.from({ length: Number(values.workers) }, work));
const leftOut = left > 0 ? `; ${left} trials left out for want of time` : '';
console.log(`${trials} trials, ${wrong.length} wrong${leftOut}`);
for (const each of wrong) console.log(`  ${each}`);
process.exitCode = wrong.length > 0 || trials === 0 ? 1 : 0;

function part(what: string, form: Form, run: (place: Place, form: Form) => Promise<void>): Part {
  return { name: `${form.name}: ${what}`, run: (place) => run(place, form) };
}

/** Takes part after part, in a folder of its own. */
async function work(): Promise<void> {
  const ground = new Ground();
  try {
    await ground.prepare();
    const shim = new Shim(ground.own, ground.folder);
    for (let next = parts.shift(); next; next = parts.shift()) {
      const { name } = next;
      let own = 0;
      const tried = (what: string, found: readonly string[]) => {
        own++;
        for (const each of found) {
          const line = `${what.replaceAll(ground.folder, '')}: ${each.replaceAll(ground.folder, '')}`;
          wrong.push(line);
          console.log(`  ${line}`);
        }
      };
      const place = { ground, shim, tried, mostCalls: Number(values.calls), isThorough: values.thorough, mayGoOn };
      // A command that does not do its work without faults must not end all others.
      await next.run(place).catch((error: Error) => tried(name, [error.message]));
      trials += own;
      console.log(`${name}: ${own}`);
    }
  } finally {
    ground.remove();
  }
}

function mayGoOn(): boolean {
  const may = performance.now() < deadline;
  if (!may) left++;
  return may;
}
