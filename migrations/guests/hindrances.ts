import { withAddressNames } from '../../formats/files/web/address-name.ts';
import { writableDisks } from './describe-guest.ts';
import type { GuestFacts } from './guest-facts.ts';
import { HIDDEN, isLeftOut } from './locate-memory.ts';

/** A reason why a guest cannot be moved, or a warning. */
export interface Hindrance {
  /** One word: `private-memory`. */
  code: string;
  /** Whether the migration is refused; else the hindrance is a warning. */
  isFatal: boolean;
  /** One line for people, with the remedy. */
  message: string;
}

/** The user's options about a guest's disks. */
export interface DiskWishes {
  /** Both hosts see the same images. */
  areShared: boolean;
  /** Disks are copied to the target. */
  areMirrored: boolean;
}

const MOVABLE = ['running', 'paused', 'prelaunch'];
/** QEMU's names for the files of `-snapshot`. */
const SNAPSHOT_FILE = /\/vl\.\w{6}"?/;

/** All hindrances for a guest, before the migration touches it; a pure function. */
export function hindrancesOf(facts: GuestFacts, disks: DiskWishes): Hindrance[] {
  return [...ofState(facts), ...ofMemory(facts), ...ofDevices(facts), ...ofDisks(facts, disks), ...ofVersions(facts)];
}

function fatal(code: string, message: string): Hindrance {
  return { code, isFatal: true, message };
}

function ofState({ status, blockers }: GuestFacts): Hindrance[] {
  const words: Readonly<Record<string, string>> = {
    inmigrate: 'it waits for a migration to come in',
    postmigrate:
      'its devices were saved, perhaps to hand it over: savkit history and migrate --resolve tell who has it; ' +
      'QMP cont lets it run here',
    'io-error': 'an error of its disk has stopped it',
    shutdown: 'it has shut down',
  };
  return [
    ...(MOVABLE.includes(status)
      ? []
      : [
          fatal(
            'bad-state',
            `the guest is in state ${status}: ${words[status] ?? 'only a running or paused guest can be moved'}`,
          ),
        ]),
    ...blockers.map((reason) => fatal('blocked', `QEMU itself would not migrate it: ${reason}`)),
  ];
}

/** Kinds of memory backends that savkit can read. */
const READABLE = new Set(['file', 'memfd', 'ram', 'shm'].map((kind) => `memory-backend-${kind}`));

function ofMemory({ backends, version, process }: GuestFacts): Hindrance[] {
  if (backends.length === 0)
    return [
      fatal('hidden-memory', 'QEMU names no memory of the guest: name it by -object and -machine memory-backend'),
    ];
  return backends.flatMap((backend) => {
    const { id, isShared, type, path = '', hostAddress } = backend;
    if (/^\/dev\/dax/.test(path)) return [fatal('other-memory', `memory ${id} is a device, ${path}`)];
    if (!READABLE.has(type)) return [fatal('other-memory', `memory ${id} is of type ${type}, which savkit can't read`)];
    const isReached = (isShared && path !== '') || (process !== undefined && (isShared || hostAddress !== undefined));
    if (!isReached) return [fatal('hidden-memory', `memory ${id} can't be reached: ${HIDDEN}`)];
    if (isLeftOut(backend, version)) return [];
    return [
      {
        code: 'private-memory',
        isFatal: false,
        message:
          `memory ${id} is no shared memory-backend-file: QEMU hands out all of it once more, on this host, ` +
          'before the guest stops',
      },
    ];
  });
}

function ofDevices({ unmovable }: GuestFacts): Hindrance[] {
  return unmovable.map((kind) =>
    fatal(
      'other-device',
      `device ${kind} writes to memory past QEMU, or has state that can't be moved: unplug it first`,
    ),
  );
}

function ofDisks(facts: GuestFacts, { areShared, areMirrored }: DiskWishes): Hindrance[] {
  const { disks, process } = facts;
  const snapshot = disks.find(({ file }) => SNAPSHOT_FILE.test(file));
  if (snapshot || process?.commandLine.some((word) => /^--?snapshot$/.test(word)))
    return [
      fatal(
        'snapshot',
        'it was started with -snapshot: its writes since then are in a nameless file, and would be lost',
      ),
    ];
  if (areShared || areMirrored) return [];
  return writableDisks(facts).map(({ device, file }) =>
    fatal(
      'disk',
      `disk ${device} (${withAddressNames(file)}): does the target see this image, too? --shared-disks says so; ` +
        'else --mirror copies it',
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
      message: 'the process of QEMU was not found: its end would show only as a silent socket',
    });
  if (
    accelerator === 'kvm' &&
    process?.commandLine.some((word, i, all) => all[i - 1] === '-cpu' && word.startsWith('host'))
  )
    hindrances.push({ code: 'host-cpu', isFatal: false, message: '-cpu host: both hosts need the same processors' });
  return hindrances;
}
