/** Kinds of trouble that a code stands for; advice depends on the kind. */
export type Trouble = keyof typeof KINDS;

/** A status code of VirtualBox, as far as saved states and guest memory are concerned. */
export interface CodeFacts {
  name: string;
  /** Number of the code; absent where no source tells. */
  number?: number;
  /** Number in VirtualBox 3.0 and older, if it was another one. */
  numberIn30?: number;
  kind: Trouble;
  means: string;
}

/** A code of a table; the last number is for 3.0 and older. */
export type CodeRow = readonly [
  name: string,
  number: number | undefined,
  kind: Trouble,
  means: string,
  numberIn30?: number,
];

export interface KindFacts {
  /** Data that is lost, in plain words. */
  lost: string;
  /** Advice, the best first. */
  next: readonly string[];
}

export const KINDS = {
  'bytes-changed': {
    lost: 'Whatever the changed bytes held; all other units are as they were.',
    next: [
      'Copy the file first, and look for an older copy of it (backup, snapshot, the other host).',
      '`savkit verify FILE` names the damaged unit, `savkit verify --manifest M FILE` the page.',
      '`savkit salvage FILE OUT` writes the recoverable parts and lists the lost ones; it mends a single flipped bit.',
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
    lost: 'Nothing, as far as is known.',
    next: [
      '`savkit inspect FILE` tells the kind of the file.',
      'Use a VirtualBox of the release that wrote it, or `savkit convert` to another container or memory version.',
    ],
  },
  'machine-differs': {
    lost: 'Nothing: the state is good, the machine is not the one that it was saved from.',
    next: [
      '`savkit check STATE --machine FILE.vbox` lists every difference; VirtualBox stops at the first.',
      '`savkit adapt STATE --machine FILE.vbox -o OUT` makes the state fit the machine as it is, and says ' +
        'before what the guest will notice (`--dry-run`).',
      'Set the machine back to what it was when it was saved (the settings beside the state, a snapshot, a ' +
        'backup of the .vbox file).',
      'Where that machine is gone: `savkit extract STATE -o memory.raw` gets the memory out without any machine.',
    ],
  },
  'cpu-differs': {
    lost:
      'Nothing, as far as is known: memory and devices are in the file. VirtualBox does not take its CPU part ' +
      'here.',
    next: [
      'Load it on the host that it was saved on, or on one with the same kind of CPU, in the same way: with or ' +
        'without Hyper-V.',
      '`savkit check STATE --host-cpuid /proc/cpuinfo` tells what this CPU lacks; `savkit adapt STATE ' +
        '--machine FILE.vbox --host-cpuid /proc/cpuinfo -o OUT` takes it from the guest, and mends an ' +
        'impossible XCR0.',
      'Where Hyper-V (also WSL 2, memory integrity, sandbox) was switched on since then: VirtualBox runs machines ' +
        'through it, and the guest gets fewer CPU features. Switch it off and try again.',
      'A release before or after the one that saved it may have the fault mended: `savkit inspect STATE` names ' +
        'the one that wrote it.',
      'Where that host is gone: `savkit extract STATE -o memory.raw` gets the memory out without any machine.',
    ],
  },
  'file-missing': {
    lost: 'Nothing, as far as is known: the file is elsewhere, or gone.',
    next: [
      'Leave the machine as it is: the settings still name the file (`stateFile` in the .vbox file), so it ' +
        'loads once the file is back at that path.',
      'Look for the file where the folder has been before it was moved, renamed or synchronised, and in ' +
        'backups; its name is the time of saving.',
      'A file found elsewhere: check it with `savkit verify FILE`, then copy it to the path of the message, or ' +
        'give it to the machine with `VBoxManage adoptstate`.',
    ],
  },
  'never-ended': {
    lost: 'Whatever was not written when it ended.',
    next: [
      'Where the machine is still at work, wait: the log goes on.',
      'Otherwise the file that was being written is not complete: look for it in the folder Snapshots, copy ' +
        'it, then `savkit salvage FILE OUT` keeps what has reached the disk.',
      'Look at the host for the reason: power, a full disk, memory, a killed process.',
    ],
  },
  'load-never-ended': {
    lost: 'Nothing, as far as is known: loading does not change the file.',
    next: [
      'Where the machine is still at work, wait: the log goes on.',
      '`savkit verify FILE` tells whether the file is whole, `savkit check STATE --machine FILE.vbox` whether it fits.',
      'Look at the host for the reason: memory, a killed process.',
    ],
  },
  'reason-in-log': {
    lost: 'Nothing, as far as is known: loading does not change the file.',
    next: [
      '`savkit explain "VirtualBox VMs/NAME/Logs/VBox.log"`: the log of the machine has the reason. If that log ' +
        'is older, the process ended before it began a new one: look at VBoxHardening.log beside it, or at ' +
        'VBoxSVC.log.',
      '`savkit verify FILE` tells whether the state is whole, `savkit check STATE --machine FILE.vbox` whether it ' +
        'fits.',
    ],
  },
  'in-use': {
    lost: 'Nothing: neither the machine nor its state was touched.',
    next: [
      'Wait some seconds and try again: VirtualBox lets go of a machine a little after its end.',
      '`VBoxManage list runningvms` and `VBoxManage showvminfo NAME` tell whether the machine runs, or is still ' +
        'being saved.',
      'Where neither is true: look for a process VBoxHeadless or VirtualBoxVM of the machine that hangs, and for ' +
        'the window of its settings. Leave the state file alone meanwhile.',
    ],
  },
  crashed: {
    lost: 'What the guest had in memory since the state was saved; the state itself is not changed by that.',
    next: [
      'Keep a copy of the state: after such a crash VirtualBox may have let go of it.',
      'The register dump in the log after this line tells where the guest was. A state from a host with ' +
        'another CPU, or another hypervisor under it, is a usual reason.',
      '`savkit extract STATE -o memory.raw` gets the memory out without running the guest.',
    ],
  },
  'not-known': {
    lost: 'Not known.',
    next: [
      "savkit does not know this code. VirtualBox's words above, and the lines around them in VBox.log, are " +
        'what there is.',
      '`savkit verify FILE` tells whether the bytes are whole, `savkit check STATE --machine FILE.vbox` ' +
        'whether the machine fits.',
    ],
  },
  'release-differs': {
    lost: 'Nothing: another VirtualBox release understands it.',
    next: [
      '`savkit check STATE --virtualbox RELEASE` tells which units that release cannot read.',
      'Load it in the release that wrote it (`savkit inspect` names it), shut the guest down there, then upgrade.',
      'Where only the container or the memory unit is in the way: `savkit convert`. Device units it carries ' +
        'over as they are.',
    ],
  },
  'unit-contradicts': {
    lost: 'Nothing for sure: the bytes are as they were written, but have values that the loader does not accept.',
    next: [
      '`savkit verify FILE` tells whether the bytes are whole; where they are not, `savkit salvage`.',
      '`savkit check STATE --machine FILE.vbox` and `--virtualbox RELEASE`: machine and release are the usual reasons.',
    ],
  },
  'live-save': {
    lost: 'The save or migration; the machine itself goes on, or has ended for another reason.',
    next: [
      'Look at the lines before it in VBox.log.',
      'Save again: paused rather than live, where the guest changes its memory faster than it can be written.',
    ],
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
    next: [
      'Look in VBox.log for the first error before it.',
      'An extension pack or device plug-in of another release is a usual reason.',
    ],
  },
  'other-file-bad': {
    lost: 'Nothing of a state: another file is bad, or none of the kind that was expected.',
    next: ['The message names the file and the place; write or copy it again.'],
  },
  'pages-elsewhere': {
    lost: 'Nothing, as far as is known: the pages are in another file.',
    next: [
      'Look for the file of RAM or the base image that belongs to the state; for QEMU, `savkit extract --ram ' +
        'NAME=FILE` takes it.',
    ],
  },
  'not-supported': {
    lost: 'Nothing: savkit does not judge the file, and nothing was written.',
    next: [
      'The message names the unsupported part, and another way if there is one.',
      '`savkit inspect FILE` tells the kind of the file.',
    ],
  },
  'not-wakeable': {
    lost: 'Nothing: the state is good, and VirtualBox loads it as before.',
    next: [
      '`savkit wake STATE -o OUT` lists all reasons, each with a way round it where there is one; it writes ' +
        'nothing then.',
      '`savkit extract STATE -o memory.raw` gets the memory out without running the guest.',
    ],
  },
  'asked-wrongly': {
    lost: 'Nothing: nothing was done.',
    next: ['The message says what was expected; `savkit COMMAND --help` lists what the command takes.'],
  },
  'around-savkit': {
    lost: 'Nothing that was complete before; a file that was being written is not there.',
    next: ['The message says what failed. Mend it, and do the same again.'],
  },
  'migration-stopped': {
    lost: 'Nothing: the machine is at one of the two sides, and both have records of it.',
    next: [
      'Look at both sides: each says whether the machine is there.',
      'Where one side is gone: `savkit migrate --resolve` with the records of both tells who has the machine.',
      'Migrate again; `savkit migrate --dry-run` tells before whether it would end.',
    ],
  },
  interrupted: {
    lost: 'Nothing: a file that was being written is not there, the one before it is.',
    next: ['Do the same again.'],
  },
  information: { lost: 'Nothing: this is no error.', next: [] },
} as const satisfies Record<string, KindFacts>;
