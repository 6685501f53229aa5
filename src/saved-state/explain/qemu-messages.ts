import { KINDS, type Trouble } from './codes/kinds.ts';
import type { Explanation } from './explain.ts';

type Row = readonly [words: RegExp, name: string, kind: Trouble, means: string, first: string];

const COPY = 'Copy the file again where it came from; `savkit verify FILE` names the place.';
const SAME_MACHINE =
  'Start the target with the same machine type, sizes and devices in the same places: `savkit inspect FILE` ' +
  'shows them.';
const LOOK = '`savkit inspect FILE` shows what the file is.';

// Messages of QEMU and libvirt, the most telling first; the last rows only say that loading failed. Source:
// qemu-stream.md 10.
const ROWS: readonly Row[] = [
  [
    /Not a migration stream/,
    'Not a migration stream',
    'not-this-format',
    'the file does not begin with "QEVM": it is compressed, an image of libvirt, or a copy that lost its start',
    LOOK,
  ],
  [
    /Unsupported migration stream version/,
    'Unsupported migration stream version',
    'not-this-format',
    'the stream has a version other than 3',
    LOOK,
  ],
  [
    /Configuration section missing/,
    'Configuration section missing',
    'machine-differs',
    'the state is of a machine type before 2.4, or damaged',
    'Try an older machine type; `savkit verify FILE` finds damage.',
  ],
  [
    /Failed to load configuration:name/,
    'Failed to load configuration:name',
    'bytes-changed',
    'the length of the machine type at the start of the stream is wrong',
    COPY,
  ],
  [
    /Machine type received is '.*' and local is/,
    "Machine type received is 'A' and local is 'B'",
    'machine-differs',
    'the state is of machine type A',
    'Start the target with `-machine A`.',
  ],
  [
    /Capability (\S+) is off, but received capability is on/,
    'Capability X is off, but received capability is on',
    'machine-differs',
    'the state was written with a capability that is off at the target',
    'Set it before loading: `migrate_set_capability X on`.',
  ],
  [
    /RAM postcopy is disabled but have 16 byte advise/,
    'RAM postcopy is disabled but have 16 byte advise',
    'machine-differs',
    'the source had postcopy-ram on',
    'Turn postcopy-ram on at the target, too.',
  ],
  [
    /Unknown ramblock/,
    'Unknown ramblock "X", cannot accept migration',
    'machine-differs',
    'the state has a block of memory that the target lacks, such as video memory; or the file is damaged',
    SAME_MACHINE,
  ],
  [
    /Size mismatch: /,
    'Size mismatch: X: A != B',
    'machine-differs',
    'block X has A bytes in the state and B here: RAM size, video memory, or a ROM of another size',
    'Use equal `-m`, `vgamem_mb` and firmware.',
  ],
  [/Illegal RAM offset/, 'Illegal RAM offset N', 'bytes-changed', 'a page lies beyond its block', COPY],
  [
    /Unknown combination of migration flags/,
    'Unknown combination of migration flags: N',
    'bytes-changed',
    'a record of memory has flags that this QEMU does not know: a newer writer, or damage',
    COPY,
  ],
  [
    /(Failed to load|decompress) XBZRLE page/,
    'Failed to load XBZRLE page',
    'bytes-changed',
    'a page that was sent as differences is damaged',
    COPY,
  ],
  [
    /Received an unexpected compressed page/,
    'Received an unexpected compressed page',
    'machine-differs',
    'the pages are compressed by zlib (capability compress, gone since QEMU 9.1)',
    'Set the capability in a QEMU before 9.1, or load there and save again.',
  ],
  [
    /Missing section footer for/,
    'Missing section footer for D',
    'bytes-changed',
    'device D has another size than this QEMU reads: a patched QEMU, another machine version, or damage',
    '`savkit verify FILE` finds damage.',
  ],
  [
    /Mismatched section id in footer for/,
    'Mismatched section id in footer for D',
    'bytes-changed',
    'device D has another size than this QEMU reads, or the mark after it is damaged',
    '`savkit verify FILE` finds damage.',
  ],
  [
    /Unknown savevm section or instance/,
    "Unknown savevm section or instance 'D' N",
    'machine-differs',
    'the target has no device D, or not so many',
    SAME_MACHINE,
  ],
  [
    /savevm: unsupported version \d+ for/,
    "savevm: unsupported version A for 'D'",
    'release-differs',
    'the state was written by a newer QEMU',
    'Use that QEMU, or save with an older machine type.',
  ],
  [
    /incoming version_id \d+ is too old/,
    'incoming version_id A is too old',
    'release-differs',
    'the state was written by a very old QEMU',
    'Load and save it in a version between.',
  ],
  [
    /Unknown savevm section type/,
    'Unknown savevm section type N',
    'bytes-changed',
    'the reader lost its place: the section before has another size, or the writer is newer',
    '`savkit verify FILE` names the section.',
  ],
  [
    /Unknown savevm section \d/,
    'Unknown savevm section N',
    'bytes-changed',
    'the file holds a part of a section whose beginning is missing',
    COPY,
  ],
  [
    /invalid parameter value: \S+/,
    'invalid parameter value: X',
    'bytes-changed',
    'this QEMU does not know the run state in section globalstate: a newer writer, or damage',
    '`savkit inspect FILE` shows the run state.',
  ],
  [
    /mapped-ram capability version not supported/,
    'Migration mapped-ram capability version not supported',
    'release-differs',
    'the header of mapped RAM is of a newer QEMU, or damaged',
    'Use the QEMU that wrote it.',
  ],
  [
    /Error reading dirty bitmap/,
    'Error reading dirty bitmap',
    'file-cut',
    'the bitmap of mapped RAM lies beyond the end of the file',
    COPY,
  ],
  [
    /failed to read page .* from file offset/,
    'failed to read page A from file offset B',
    'file-cut',
    'the area of mapped pages is cut off',
    'Copy the file again; `cp --sparse=always` and `rsync -S` keep its holes.',
  ],
  [
    /Migration requires seekable transport/,
    'Migration requires seekable transport',
    'program-error',
    'mapped-ram needs a file: not exec:, unix: or tcp:',
    'Use `file:PATH`.',
  ],
  [
    /Migration requires multi-channel URIs/,
    'Migration requires multi-channel URIs',
    'program-error',
    'multifd without mapped-ram cannot write one file',
    'Turn multifd off, or mapped-ram on.',
  ],
  [
    /Postcopy is not compatible with ignore-shared/,
    'Postcopy is not compatible with ignore-shared',
    'program-error',
    'both capabilities are on',
    'Turn one of them off.',
  ],
  [
    /Parameter 'capability' does not accept value/,
    "Parameter 'capability' does not accept value 'X'",
    'release-differs',
    'this QEMU does not have the capability: mapped-ram before 9.0, compress since 9.1',
    'Use another version.',
  ],
  [
    /no block device can store vmstate for snapshot/,
    'no block device can store vmstate for snapshot',
    'machine-differs',
    'savevm and loadvm need a writable qcow2 disk',
    'Attach one.',
  ],
  [
    /Could not load snapshot '/,
    "Could not load snapshot 'S' on 'D'",
    'bytes-changed',
    'the tables of the snapshot in the disk image are wrong',
    'Look with `qemu-img check` and `savkit verify IMAGE:SNAPSHOT`.',
  ],
  [
    /Snapshot '.*' does not exist in one or more devices/,
    "Snapshot 'S' does not exist in one or more devices",
    'file-missing',
    'not every disk has the snapshot, or its table could not be read',
    '`savkit inspect IMAGE` lists the snapshots.',
  ],
  [
    /Snapshot table offset invalid/,
    'Snapshot table offset invalid',
    'bytes-changed',
    'the head of the disk image is damaged',
    'Look with `qemu-img check`.',
  ],
  [
    /'-incoming' was not specified/,
    "'-incoming' was not specified on the command line",
    'program-error',
    'the target was not started to take a migration',
    'Start it with `-incoming defer`.',
  ],
  [
    /invalid runstate transition: 'restore-vm' -> 'finish-migrate'/,
    "invalid runstate transition: 'restore-vm' -> 'finish-migrate'",
    'crashed',
    'migrate was called after a loadvm that failed: QEMU 7.2 ends, and the guest with it',
    'Look at `query-status` first; never migrate in state restore-vm.',
  ],
  [
    /Failed to fork \(Operation not permitted\)/,
    'Failed to fork (Operation not permitted)',
    'program-error',
    'exec: is not allowed in the sandbox (`-sandbox spawn=deny`)',
    'Use `unix:` or `file:`.',
  ],
  [
    /save image is incomplete/,
    'save image is incomplete',
    'never-ended',
    'libvirt\'s image has the magic "Part": saving was cut off',
    'There is no remedy in libvirt; look for an older image.',
  ],
  [
    /unsupported save image format/,
    'unsupported save image format: N',
    'release-differs',
    'the image is of a newer libvirt, or its head is damaged',
    'Use the libvirt that wrote it.',
  ],
  [
    /failed to read cookie/,
    'failed to read cookie',
    'bytes-changed',
    "the length or the cookie's place in the head of libvirt's image is wrong",
    COPY,
  ],
  [
    /Failed to load ([\w/.-]+):(\S+)/,
    'Failed to load D:FIELD',
    'file-cut',
    'the stream ends within device D, or its fields are shifted: another version of the device',
    '`savkit verify FILE` tells which.',
  ],
  [
    /error while loading state section id \d+\(ram\)/,
    'error while loading state section id N(ram)',
    'file-cut',
    'if no other error precedes it: the stream ends within memory',
    COPY,
  ],
  [
    /error while loading state for instance \S+ of device/,
    "error while loading state for instance N of device 'D'",
    'unit-contradicts',
    'device D does not take its section; the line before tells why',
    SAME_MACHINE,
  ],
  [
    /load of migration failed/,
    'load of migration failed',
    'unit-contradicts',
    'loading failed; the first line before it tells why. If there is none, the stream has no end mark: it ' +
      'was cut off',
    COPY,
  ],
];

/** Meanings of the messages of QEMU and libvirt in a text, each once, the most telling first. */
export function explainQemu(text: string): Explanation[] {
  return ROWS.filter(([words]) => words.test(text)).map(([, name, kind, means, first]) => {
    const { lost } = KINDS[kind];
    return { name, means, lost, next: [first] };
  });
}
