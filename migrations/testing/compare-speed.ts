import { rmSync } from 'node:fs';
import type { RealMachine } from './real-machine.ts';
import { SavkitProcess } from './savkit-process.ts';

/** An even number, so that the machine ends where it was. */
const ROUNDS = 4;

/**
 * Seconds that VirtualBox takes to teleport a machine to savkit, and to its twin: there and back, in turns.
 * @param machine runs, and does so afterwards
 */
export async function compareSpeed(
  machine: RealMachine,
  twin: RealMachine,
  port: number,
  path: string,
): Promise<{ savkit: number[]; virtualBox: number[] }> {
  const seconds = { savkit: [] as number[], virtualBox: [] as number[] };
  let [at, other] = [machine, twin];
  for (let round = 0; round < ROUNDS; round++) {
    const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', path);
    seconds.savkit.push((await at.teleport(await receiver.port())).seconds);
    await receiver.ended;
    rmSync(path, { force: true });
    await other.awaitMachine(port);
    seconds.virtualBox.push((await at.teleport(port)).seconds);
    if (!(await other.becomes('running'))) throw new Error(`${other.name} did not get the machine from ${at.name}`);
    await at.stop();
    [at, other] = [other, at];
  }
  return seconds;
}

export function median(values: readonly number[]): number {
  return values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)];
}
