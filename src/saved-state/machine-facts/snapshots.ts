import type { MachineFacts } from './machine-facts.ts';
import { machineElement, type SettingsFile, settingsOf, settingsRoot } from './settings.ts';
import { child, children, type Element, textOf } from './settings-xml.ts';

/** The present machine, or one that a snapshot keeps, with its saved state. */
export interface SavedMoment {
  /** Absent for the present machine. */
  snapshot?: { name: string; uuid: string; time?: string };
  /** Snapshots above it in their tree; 0 for the present machine. */
  depth: number;
  /** Path as the settings have it, relative to their folder or absolute. Absent if the machine was off. */
  stateFile?: string;
  machine: MachineFacts;
}

/** A machine with its snapshots, each after its parent. */
export interface MachineHistory {
  name: string;
  /** Folder of the states, as the settings have it. */
  snapshotFolder: string;
  moments: SavedMoment[];
}

const DEFAULT_FOLDER = 'Snapshots';

/** @throws FormatError if the text is no settings file */
export function readHistory(text: string, name: string): MachineHistory {
  const root = settingsRoot(text, name);
  const machine = machineElement(root, name);
  const file = { text, root, machine };
  return {
    name: textOf(machine.name, name),
    snapshotFolder: textOf(machine.snapshotFolder, DEFAULT_FOLDER),
    moments: [
      ...snapshotsIn(file, children(machine, 'Snapshot'), 0, name),
      { depth: 0, ...stateIn(machine), machine: settingsOf(file, machine, name) },
    ],
  };
}

function snapshotsIn(file: SettingsFile, elements: readonly Element[], depth: number, name: string): SavedMoment[] {
  return elements.flatMap((element) => {
    const own = textOf(element.name, '?');
    const time = textOf(element.timeStamp, '');
    const moment: SavedMoment = {
      snapshot: {
        name: own,
        uuid: textOf(element.uuid, '').replace(/[{}]/g, ''),
        time: time === '' ? undefined : time,
      },
      depth,
      ...stateIn(element),
      machine: settingsOf(file, element, `${name}, snapshot "${own}"`),
    };
    return [moment, ...snapshotsIn(file, children(child(element, 'Snapshots'), 'Snapshot'), depth + 1, name)];
  });
}

function stateIn(element: Element): { stateFile?: string } {
  const path = textOf(element.stateFile, '');
  return path === '' ? {} : { stateFile: path };
}

/** The moment that a state belongs to, by its file name, which is the time of saving; undefined if there is none. */
export function momentOf(history: MachineHistory, path: string): SavedMoment | undefined {
  return history.moments.find(({ stateFile }) => stateFile !== undefined && lastName(stateFile) === lastName(path));
}

/** Settings of Windows have backslashes. */
function lastName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}
