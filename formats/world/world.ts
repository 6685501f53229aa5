import { type Chance, REAL_CHANCE } from './chance.ts';
import { type Disk, REAL_DISK } from './disk.ts';
import { type OwnProcess, REAL_PROCESS } from './process.ts';
import { REAL_TIME, type Time } from './time.ts';

// The one door to time, files, chance and processes. Behind it is the real world, or one that a simulator has made up:
// with its own clock, a disk that fails, and processes that die at any moment. Connections are handed in from outside
// as streams, so that they need no door.

/** All that surrounds a process and is not of its own making. */
export interface World {
  readonly time: Time;
  readonly chance: Chance;
  readonly disk: Disk;
  readonly process: OwnProcess;
}

export const REAL_WORLD: World = { time: REAL_TIME, chance: REAL_CHANCE, disk: REAL_DISK, process: REAL_PROCESS };

/** Where this process is: the real world, unless a simulator has said otherwise. */
export let world: World = REAL_WORLD;

/** Lets all calls from now on go to another world. @returns the one before */
export function enterWorld(next: World): World {
  const before = world;
  world = next;
  return before;
}
