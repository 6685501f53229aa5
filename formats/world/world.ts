import { type Chance, REAL_CHANCE } from './chance.ts';
import { type Disk, REAL_DISK } from './disk.ts';
import { type OwnProcess, REAL_PROCESS } from './process.ts';
import { type Programs, REAL_PROGRAMS } from './programs.ts';
import { REAL_SOCKETS, type Sockets } from './sockets.ts';
import { REAL_TIME, type Time } from './time.ts';

// The one door to time, files, chance, processes and sockets, of the real world or of a simulator, which has its own
// clock, a disk that fails, and processes that die at any moment. Connections to other hosts are passed in as streams,
// so they need no door.

/** Surroundings of a process. */
export interface World {
  readonly time: Time;
  readonly chance: Chance;
  readonly disk: Disk;
  readonly process: OwnProcess;
  readonly sockets: Sockets;
  readonly programs: Programs;
}

export const REAL_WORLD: World = {
  time: REAL_TIME,
  chance: REAL_CHANCE,
  disk: REAL_DISK,
  process: REAL_PROCESS,
  sockets: REAL_SOCKETS,
  programs: REAL_PROGRAMS,
};

/** The world of this process: the real one, unless a simulator has entered another. */
export let world: World = REAL_WORLD;

/** Makes all calls from now on go to another world. @returns the previous one */
export function enterWorld(next: World): World {
  const before = world;
  world = next;
  return before;
}
