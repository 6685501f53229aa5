/** What people can do about a code depends on what kind of trouble it stands for. */
export type Kind = keyof typeof KINDS;

export interface KindFacts {
  /** In plain words. */
  lost: string;
  /** What to do, the best first. */
  next: readonly string[];
}

export const KINDS = {
  'bytes-changed': {
    lost: 'Whatever the changed bytes held; all other units are as they were.',
    next: [
      'Copy the file first, and look for an older copy of it (backup, snapshot, the other host).',
      '`savkit verify FILE` names the damaged unit, `savkit verify --manifest M FILE` the page.',
      '`savkit salvage FILE OUT` writes what can be kept and lists what is lost; a single flipped bit it flips back.',
      'Check the disk and the memory of the host: the file was good when it was written.',
    ],
  },
  'file-cut': {
    lost: 'What followed the end of the file: the last units, or the rest of guest memory.',
    next: [
      'Copy or download the file again where it came from; compare sizes.',
      '`savkit salvage FILE OUT` keeps everything up to the cut and lists the pages and units that are gone.',
    ],
  },
  'not-this-format': {
    lost: 'Nothing that is known of.',
    next: [
      '`savkit inspect FILE` tells what the file is.',
      'Use a VirtualBox of the release that wrote it, or `savkit convert` to another container or memory version.',
    ],
  },
  'machine-differs': {
    lost: 'Nothing: the state is good, the machine is not the one that it was saved from.',
    next: [
      '`savkit check STATE --machine FILE.vbox` lists every difference; VirtualBox stops at the first.',
      'Set the machine back to what it was when it was saved (the settings beside the state, a snapshot, a backup of the .vbox file).',
      'Where that machine is gone: `savkit extract STATE -o memory.raw` gets the memory out without any machine.',
    ],
  },
  'release-differs': {
    lost: 'Nothing: another VirtualBox release understands it.',
    next: [
      '`savkit check STATE --virtualbox RELEASE` tells which units that release can not read.',
      'Load it in the release that wrote it (`savkit inspect` names it), shut the guest down there, then upgrade.',
      'Where only the container or the memory unit is in the way: `savkit convert`. Device units it carries over as they are.',
    ],
  },
  'unit-contradicts': {
    lost: 'Nothing for sure: the bytes are as they were written, but say what the loader does not take.',
    next: [
      '`savkit verify FILE` tells whether the bytes are whole; where they are not, `savkit salvage`.',
      '`savkit check STATE --machine FILE.vbox` and `--virtualbox RELEASE`: machine and release are the usual reasons.',
    ],
  },
  'live-save': {
    lost: 'The save or migration; the machine itself goes on, or was ended by something else.',
    next: ['Look in VBox.log for what came before.', 'Save again: paused rather than live, where the guest changes its memory faster than it can be written.'],
  },
  'host-trouble': {
    lost: 'Nothing that was complete before.',
    next: [
      'Make room, or repair the disk or the connection; then do the same again.',
      'Check a file that was being written with `savkit verify FILE` before it is trusted.',
    ],
  },
  'program-error': {
    lost: 'Nothing by itself: a program has called another one wrongly.',
    next: ['Look in VBox.log for the first error before it.', 'An extension pack or device plug-in of another release is a usual reason.'],
  },
  information: { lost: 'Nothing: this is no error.', next: [] },
} as const satisfies Record<string, KindFacts>;
