import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { turn as aTurn, sleep, systemDate } from './waiting.ts';
import { enterWorld, REAL_WORLD, world } from './world.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Folders whose code has to run in a simulated world. */
const ROOMS = ['migrations', 'formats/files', 'src/live-save', 'src/running'];
const NOT_SHIPPED = /\.(test|bench|campaign)\.ts$|\btesting\b|\bsimulation\b|^src\/bench\b/;

/** Ways around the door. */
const AROUND =
  /\b(?:setTimeout|setInterval|setImmediate|clearTimeout|clearInterval)\(|performance\.\w+\(|Date\.now\(|Math\.random\(|(?<!world\.)\bprocess\.(?:pid|kill|hrtime)|\brandom(?:Bytes|Int|UUID)\(|^import \{(?! type [^,}]*\}).*'node:(?:fs|fs\/promises|timers|timers\/promises|child_process)'|\bavailableParallelism\(|^import \{[^}]*\b(?:connect|createServer)\b[^}]*'node:net'/gm;

/** Uses of the system, by file, that no simulation stands for. */
const MAY: Readonly<Record<string, RegExp>> = {
  // Its readers open a pipe without waiting for a writer.
  'formats/files/source.ts': /import \{ constants \}/,
  // Connections to other hosts.
  'migrations/trust/gate.ts': /node:net'$/,
  'migrations/trust/connect-to-target.ts': /node:net'$/,
  // The process of a guest.
  'migrations/guests/locate-memory.ts': /process\.pid$/,
  'migrations/guests/qemu-host.ts': /process\.pid$/,
  'migrations/guests/qemu-source.ts': /process\.pid$/,
  'migrations/guests/written-pages.ts': /process\.pid$/,
  'migrations/guests/qemu-target.ts': /process\.kill$/,
  'migrations/guests/memory/ram-files.ts': /import \{ constants \}/,
  // Intervals of wall-clock time for somebody who looks on.
  'src/running/trace.ts': /setInterval\(|clearInterval\(/,
};

/** Ways to the calendar that a test cannot set. */
const CALENDAR = /\bnew Date(?:\(\)|;)|(?<!new )\bDate\(\)|\bDate\.now\b/g;
/** Ways to start programs. */
const STARTS = /^import \{(?! type [^,}]*\}).*'node:child_process'/gm;
const FLOORS = ['formats', 'src', 'migrations', 'cli'];

function findings(rooms: readonly string[], around: RegExp): string[] {
  return rooms.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .map((name) => `${room}/${name.split(sep).join('/')}`)
      .filter((name) => name.endsWith('.ts') && !NOT_SHIPPED.test(name))
      .flatMap((name) =>
        [...readFileSync(join(ROOT, name), 'utf8').matchAll(around)]
          .filter(([found]) => !MAY[name]?.test(found))
          .map(([found]) => `${name}: ${found}`),
      ),
  );
}

describe('the door to the world', () => {
  it('is the only way to time, chance, files, processes and sockets', () => {
    expect(findings(ROOMS, AROUND)).toEqual([]);
  });

  it('is the only way to programs other than savkit, which inherit no secrets', () => {
    expect(findings(FLOORS, STARTS).map((found) => found.split(':')[0])).toEqual([
      'formats/world/programs.ts',
      'cli/demo.ts',
      'cli/many/worker-pool.ts',
      'cli/process/own-process.ts',
    ]);
  });

  it('is the only way to the calendar', () => {
    expect(findings(FLOORS, CALENDAR)).toEqual(['formats/world/time.ts: Date.now']);
    const before = enterWorld({ ...REAL_WORLD, time: { ...REAL_WORLD.time, date: () => 0 } });
    try {
      expect(systemDate()).toEqual(new Date(0));
    } finally {
      enterWorld(before);
    }
  });

  it('leads to the world that was entered, and back', async () => {
    let asked = 0;
    const turn = (work: () => void) => {
      asked++;
      queueMicrotask(work);
    };
    const before = enterWorld({
      ...REAL_WORLD,
      time: { ...REAL_WORLD.time, turn },
    });
    try {
      await aTurn();
    } finally {
      enterWorld(before);
    }
    await aTurn();
    expect([asked, world]).toEqual([1, REAL_WORLD]);
  });
});

describe('sleep', () => {
  it('ends at once when its signal is aborted, also when that was before', async () => {
    const abort = new AbortController();
    const asleep = sleep(1e6, { signal: abort.signal });
    abort.abort();
    await asleep;
    await sleep(1e6, { signal: abort.signal });
  });
});
