import type { Backend, GuestFacts } from './guest-facts.ts';

/** Why a guest can't be moved, or what somebody has to see to. */
export interface Hindrance {
  /** One word: `private-memory`. */
  code: string;
  /** Whether it is refused; else it is only told. */
  isFatal: boolean;
  /** One line for people, with what helps. */
  message: string;
}

/** What is known of a guest's disks besides what its QEMU tells. */
export interface DiskWishes {
  /** Both hosts see the same images. */
  areShared: boolean;
  /** They are copied to the target. */
  areMirrored: boolean;
}

const MOVABLE = ['running', 'paused', 'prelaunch'];
/** QEMU's names for the files of `-snapshot`. */
const SNAPSHOT_FILE = /\/vl\.\w{6}"?/;

/** Everything that stands in the way of a guest, before anything happens to it; a pure function. */
export function hindrancesOf(facts: GuestFacts, disks: DiskWishes): Hindrance[] {
  return [...ofState(facts), ...ofMemory(facts), ...ofDevices(facts), ...ofDisks(facts, disks), ...ofVersions(facts)];
}

function fatal(code: string, message: string): Hindrance {
  return { code, isFatal: true, message };
}

function ofState({ status, blockers }: GuestFacts): Hindrance[] {
  const words: Readonly<Record<string, string>> = {
    inmigrate: 'it waits for a migration to come in',
    postmigrate: 'it was handed over before; where it shall run here again, QMP cont has it do so',
    'io-error': 'an error of its disk has stopped it',
    shutdown: 'it has shut down',
  };
  return [
    ...(MOVABLE.includes(status)
      ? []
      : [
          fatal(
            'bad-state',
            `the guest is in state ${status}: ${words[status] ?? 'only one that runs or is paused can be moved'}`,
          ),
        ]),
    ...blockers.map((reason) => fatal('blocked', `QEMU itself would not migrate it: ${reason}`)),
  ];
}

/** The last version of QEMU that was seen to leave shared memory without a name out of its stream is 7.2. */
const FIRST_TO_NEED_NAMES = 8;

/** Whether QEMU leaves memory to who shares it; else all of it is in the stream of the devices. */
export function isLeftOut({ isShared, type }: Backend, version: string): boolean {
  if (!isShared) return false;
  return (
    type === 'memory-backend-file' ||
    (type === 'memory-backend-memfd' && Number.parseInt(version, 10) < FIRST_TO_NEED_NAMES)
  );
}

function ofMemory({ backends, version }: GuestFacts): Hindrance[] {
  if (backends.length === 0)
    return [
      fatal(
        'private-memory',
        'its memory is private to QEMU: start it with -object ' +
          'memory-backend-file,id=pc.ram,size=…,mem-path=/dev/shm/vm.ram,share=on -machine …,memory-backend=pc.ram',
      ),
    ];
  return backends.flatMap((backend) => {
    const { id, isShared, path = '', type } = backend;
    if (!isShared)
      return [fatal('private-memory', `memory ${id} is not shared: start it with share=on at its -object`)];
    if (type !== 'memory-backend-file' && type !== 'memory-backend-memfd')
      return [
        fatal(
          'other-memory',
          `memory ${id} is of type ${type}, which savkit can't read; memory-backend-file can be moved`,
        ),
      ];
    if (!isLeftOut(backend, version))
      return [
        fatal(
          'private-memory',
          `memory ${id} has no name (memfd), and QEMU ${version} puts such memory into its own stream: use ` +
            'memory-backend-file',
        ),
      ];
    if (/^\/dev\/dax/.test(path)) return [fatal('other-memory', `memory ${id} is a device, ${path}`)];
    return [];
  });
}

function ofDevices({ strangers }: GuestFacts): Hindrance[] {
  return strangers.map((kind) =>
    fatal('other-device', `device ${kind} writes to memory past QEMU, or keeps what can't be moved: unplug it first`),
  );
}

function ofDisks({ disks, process }: GuestFacts, { areShared, areMirrored }: DiskWishes): Hindrance[] {
  const snapshot = disks.find(({ file }) => SNAPSHOT_FILE.test(file));
  if (snapshot || process?.commandLine.some((word) => /^--?snapshot$/.test(word)))
    return [
      fatal(
        'snapshot',
        'it was started with -snapshot: what it has written since then stands in a nameless file, and would be lost',
      ),
    ];
  if (areShared || areMirrored) return [];
  return disks
    .filter(({ isReadOnly }) => !isReadOnly)
    .map(({ device, file }) =>
      fatal(
        'disk',
        `disk ${device} (${file}): does the target see this image, too? --shared-disks says so; else --mirror ` +
          'copies it',
      ),
    );
}

function ofVersions({ machineType, accelerator, process }: GuestFacts): Hindrance[] {
  const hindrances: Hindrance[] = [];
  if (!/\d/.test(machineType))
    hindrances.push(
      fatal(
        'no-version',
        `machine type ${machineType} has no version: another QEMU may build another machine; name one`,
      ),
    );
  if (process === undefined)
    hindrances.push({
      code: 'no-process',
      isFatal: false,
      message: 'the process of QEMU is not to be found: its end would show only as a silent socket',
    });
  if (
    accelerator === 'kvm' &&
    process?.commandLine.some((word, i, all) => all[i - 1] === '-cpu' && word.startsWith('host'))
  )
    hindrances.push({ code: 'host-cpu', isFatal: false, message: '-cpu host: both hosts need the same processors' });
  return hindrances;
}
