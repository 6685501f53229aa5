import { dirname, resolve } from 'node:path';
import { FormatError } from '../../../formats/errors.ts';
import { shellWord } from '../../../formats/values/shell-word.ts';
import { machineElement, settingsRoot } from '../machine-facts/settings.ts';
import { child, children, textOf } from '../machine-facts/settings-xml.ts';

/** Facts about a machine that are needed to make a donor: a state of it that was saved right after power-on. */
export interface DonorMachine {
  /** Identifier for VBoxManage: the name, or the UUID if the name has special characters. */
  id: string;
  /** Absolute path. */
  snapshotFolder: string;
  /** Absolute path of its saved state; absent if it is powered off. */
  stateFile?: string;
  /** Boot devices, by VBoxManage's names. */
  bootOrder: readonly string[];
  /** A donor's script that was killed has left its note, and maybe the machine in the midst of its changes. */
  isLeft: boolean;
}

/** Extra data in which a donor at work notes the processes of its script and of VirtualBox, and the boot order. */
const NOTE = 'savkit/donor';

/** Boot devices by their name in settings. */
const BOOT_DEVICES: ReadonlyMap<string, string> = new Map([
  ['None', 'none'],
  ['Floppy', 'floppy'],
  ['DVD', 'dvd'],
  ['HardDisk', 'disk'],
  ['Network', 'net'],
]);
/** Defaults where settings have no boot order. */
const BOOT_DEFAULTS = ['floppy', 'dvd', 'disk', 'none'];
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const NUMBER = /^\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$/i;

/** @param settings text of the settings file @param path of that file @throws FormatError `bad-settings` */
export function readDonorMachine(settings: string, path: string): DonorMachine {
  const machine = machineElement(settingsRoot(settings, path), path);
  const name = textOf(machine.name, '');
  const uuid = textOf(machine.uuid, '');
  if (!PLAIN_NAME.test(name) && !NUMBER.test(uuid))
    throw new FormatError('bad-settings', `Cannot read ${path}: the machine has neither a plain name nor a UUID`);
  const place = (file: string) => resolve(dirname(resolve(path)), file.replaceAll('\\', '/'));
  const stateFile = textOf(machine.stateFile, '');
  const bootOrder = [...BOOT_DEFAULTS];
  for (const { position, device } of children(child(child(machine, 'Hardware'), 'Boot'), 'Order')) {
    const at = Number(position) - 1;
    if (at in bootOrder) bootOrder[at] = BOOT_DEVICES.get(textOf(device, 'None')) ?? 'none';
  }
  return {
    id: PLAIN_NAME.test(name) ? name : uuid.replace(/[{}]/g, ''),
    snapshotFolder: place(textOf(machine.snapshotFolder, 'Snapshots')),
    ...(stateFile === '' ? {} : { stateFile: place(stateFile) }),
    bootOrder,
    isLeft: children(child(machine, 'ExtraData'), 'ExtraDataItem').some(({ name }) => name === NOTE),
  };
}

/**
 * A script for sh that saves the machine right after power-on, and leaves it as it was, except that its own saved state
 * is moved to a file. @param output path for the donor @param kept path for the machine's own state
 */
export function donorScript(machine: DonorMachine, output: string, kept: string): string {
  const { id, snapshotFolder, stateFile, bootOrder } = machine;
  const boot = (devices: readonly string[]) => devices.map((device, i) => `--boot${i + 1} ${device}`).join(' ');
  const note = `${id} ${NOTE}`;
  const keeping =
    stateFile === undefined
      ? []
      : [
          '# discardstate deletes the state of the machine, so it is kept first.',
          `cp -n ${shellWord(stateFile)} ${shellWord(kept)}`,
          `cmp -s ${shellWord(stateFile)} ${shellWord(kept)}`,
          `again VBoxManage discardstate ${id}`,
          '',
        ];
  return `#!/bin/sh
set -eu
# VirtualBox holds a machine for a moment after each change.
again() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 20 ] || return 1; sleep 0.5; done; }
state() { VBoxManage showvminfo ${id} --machinereadable | sed -n 's/^VMState="\\(.*\\)".*/\\1/p'; }
wait_for() { n=0; until state | grep -q -x -E "$1"; do n=$((n + 1)); [ $n -lt 300 ] || return 1; sleep 0.2; done; }

# A donor that was killed has left a note of its process, of VirtualBox's, and of the boot order.
boot='${boot(bootOrder)}'
left=$(VBoxManage getextradata ${note} | sed -n 's/^Value: //p')
if [ -n "$left" ]; then
  set -- $left
  if ps -p "$1" -o stat= | grep -q '^[^Z]'; then
    echo "process $1 makes a donor already; if not, VBoxManage setextradata ${note} removes the note" >&2
    exit 1
  fi
  if state | grep -q -x -E 'running|paused'; then
    ps -p "$2" -o args= | grep -q VBoxHeadless || {
      echo 'an earlier donor was killed, and the machine runs: VBoxManage controlvm ${id} poweroff ends it' >&2
      exit 1
    }
    VBoxManage controlvm ${id} poweroff
    wait_for 'poweroff|aborted'
  fi
  shift 2
  boot=$*
fi

${keeping.join('\n')}# Nothing is booted for that moment, so no disk is written. At the end the boot order is the old
# one again.
put_back() {
  trap '' HUP INT TERM
  state | grep -q -x -E 'running|paused' && VBoxManage controlvm ${id} poweroff
  # Its own state was taken away before.
  state | grep -q -x -E 'saved|aborted-saved' && again VBoxManage discardstate ${id}
  again VBoxManage modifyvm ${id} $boot
  VBoxManage setextradata ${note}
}
trap put_back EXIT
# A shell that a signal ends does nothing at its exit.
trap 'exit 1' HUP INT TERM
VBoxManage setextradata ${note} "$$ 0 $boot"
again VBoxManage modifyvm ${id} ${boot(bootOrder.map(() => 'none'))}

# A machine that was never resumed cannot be saved.
VBoxHeadless --startvm ${id} --start-paused > /dev/null &
VBoxManage setextradata ${note} "$$ $! $boot"
wait_for paused
VBoxManage controlvm ${id} resume
VBoxManage controlvm ${id} pause
VBoxManage controlvm ${id} savestate || true
wait_for 'saved|aborted-saved|poweroff|aborted'
state | grep -q -x -E 'saved|aborted-saved'

cp "$(ls -t ${shellWord(snapshotFolder)}/*.sav | head -n 1)" ${shellWord(output)}
`;
}
