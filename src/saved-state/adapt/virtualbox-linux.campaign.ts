import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { openFile } from '../../../formats/files/source.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { adapt } from './adapt.ts';
import { SerialShell } from './testing/serial-shell.ts';

// npm run campaign -- virtualbox-linux [NAME…]: a Linux guest with a mounted disk and a network card that is up, saved
// by the real VirtualBox, goes on in machines whose disk or card has gone, has moved, or is another one. The guest's
// shell is asked what the guest notices, which has to be as docs/commands/adapt.md tells. The guest, wkk, is in
// SAVKIT_WAKE_SAMPLES, else ../shared/samples/wake; a quarter of an hour.

/** Places are `port:device` of the IDE controller. */
interface Trial {
  disk?: string;
  card?: string;
  questions: readonly (readonly [command: string, answer: RegExp])[];
}

const NO_NOISE = 'dmesg -n 1';
/** The guest sees the old card no longer, and looks at the bus. */
const RESCAN =
  'ifconfig eth0 down; echo 1 > /sys/bus/pci/devices/0000:00:03.0/remove; echo 1 > /sys/bus/pci/rescan; sleep 5';
const PING = 'ping -c 3 -W 5 10.0.2.2';
const ADDRESS = 'ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; route add default gw 10.0.2.2; sleep 3';
const NOT_SAID = /NETDEV WATCHDOG|I\/O error/;
const E1000 = '82540EM';

const TRIALS: Readonly<Record<string, Trial>> = {
  'as-it-was': {
    disk: '0:0',
    card: E1000,
    questions: [
      ['echo x > /mnt/new; sync; cat /mnt/new; echo code $?', /\bx\r\ncode 0/],
      [PING, / 0% packet loss/],
    ],
  },
  'disk-gone': {
    card: E1000,
    questions: [
      ['echo x > /mnt/new; sync; sleep 40; cat /mnt/new', /\bx\r\n/],
      ['dmesg | tail -60', /I\/O error, dev sda.*WRITE/],
      ['umount /mnt', /busy/],
      ['cat /proc/uptime', /\d+\.\d+ \d+/],
    ],
  },
  'disk-moved': {
    disk: '0:1',
    card: E1000,
    questions: [
      ['sleep 40; cat /proc/partitions', /\bsda\r[\s\S]*\bsdb\r/],
      ['mkdir -p /tmp/m; mount -t ext2 /dev/sdb /tmp/m; echo code $?; tail -1 /tmp/m/log.txt', /code 0\r\nline \d+/],
      ['dmesg | tail -60', /I\/O error, dev sda.*WRITE/],
    ],
  },
  'card-gone': {
    disk: '0:0',
    questions: [
      ['ls /sys/class/net', /eth0/],
      [PING, /100% packet loss/],
      ['sleep 10; dmesg | tail -5', /NETDEV WATCHDOG/],
      [`${RESCAN}; ls /sys/class/net; echo all`, /\blo\r\nall/],
      ['echo x > /mnt/new; sync; cat /mnt/new', /\bx\r\n/],
    ],
  },
  'card-other': {
    disk: '0:0',
    card: 'Am79C973',
    questions: [
      [`${RESCAN}; cat /sys/bus/pci/devices/0000:00:03.0/vendor`, /0x1022/],
      [`${ADDRESS}; ${PING}`, / 0% packet loss/],
    ],
  },
};

/** A machine, and a donor of it where that is asked for. */
const MAKE = `
  vm=$1 disk=$2 card=$3 raw=$4 donor=$5 net=(); "$HERE/mkvm.sh" --delete "$vm" >/dev/null 2>&1 || true
  [ -z "$card" ] || net=(--nic1 nat --nictype1 "$card" --macaddress1 0800275A0001)
  ENGINE=recompiler "$HERE/mkvm.sh" "$vm" 128 1 piix3 - --acpi on --paravirtprovider kvm --uart1 0x3F8 4 \\
    --uart-mode1 server "/vm/$vm.sock" "\${net[@]}"
  vb VBoxManage storagectl "$vm" --name ide --add ide --controller PIIX4
  vb VBoxManage storageattach "$vm" --storagectl ide --port 1 --device 0 --type dvddrive --medium emptydrive
  if [ -n "$disk" ]; then
    cp "$raw" "$ROOT/vm/load/$vm.raw"; rm -f "$MACHINES/$vm/disk.vdi"
    vb VBoxManage convertfromraw "/vm/load/$vm.raw" "/vm/machines/$vm/disk.vdi" --format VDI; rm -f "$ROOT/vm/load/$vm.raw"
    vb VBoxManage storageattach "$vm" --storagectl ide --port "\${disk%:*}" --device "\${disk#*:}" --type hdd \\
      --medium "/vm/machines/$vm/disk.vdi"
  fi
  [ -n "$donor" ] || exit 0
  "$HERE/start.sh" "$vm" 0; manage controlvm "$vm" pause; manage controlvm "$vm" savestate || true
  for _ in $(seq 1 100); do case "$(vm_state "$vm")" in saved|aborted-saved) break ;; esac; sleep 0.1; done
  cp "$(find "$MACHINES/$vm/Snapshots" -name '*.sav' | tail -1)" "$donor"; manage discardstate "$vm"`;

/** Shell script that starts the machine and prints, as its last word, the socket of the serial port. */
const START = `
  vm=$1; make_idle "$vm"; cp "$2" "$ROOT/vm/load/$vm.sav"; manage adoptstate "$vm" "/vm/load/$vm.sav"; out=$(mktemp)
  launch_until "$vm" "$out" running || { error_text "$out" "$(vm_log "$vm")"; exit 1; }
  echo "$ROOT/vm/$vm.sock"`;

const END = `
  vm=$1; manage controlvm "$vm" poweroff >/dev/null 2>&1 || true
  for _ in $(seq 1 100); do case "$(vm_state "$vm")" in running|paused|stopping) sleep 0.1 ;; *) break ;; esac; done
  "$HERE/mkvm.sh" --delete "$vm"; rm -f "$ROOT/vm/load/$vm."* "$ROOT/vm/$vm.sock"`;

const virtualBox = await VirtualBox.find();
const samples = resolve(process.env.SAVKIT_WAKE_SAMPLES ?? join(virtualBox.folder, '../samples/wake'));
if (!existsSync(join(samples, 'wkk.sav.xz'))) {
  console.error(`The guest is not there, so nothing was tried: ${join(samples, 'wkk.sav.xz')}`);
  process.exit(2);
}
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-linux-'));
const place = (name: string) => join(folder, name);
const wanted = process.argv.slice(2);

try {
  for (const name of ['wkk.sav', 'wkk.raw'])
    writeFileSync(place(name), execFileSync('xz', ['-dc', join(samples, `${name}.xz`)], { maxBuffer: 2 ** 30 }));
  for (const [name, trial] of Object.entries(TRIALS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const machine = `savkit-linux-${name}`;
    await attempt(name, machine, trial).catch((error: Error) => score.check(name, false, error.message));
    await virtualBox.bash(END, [machine]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();

async function attempt(name: string, machine: string, { disk = '', card = '', questions }: Trial): Promise<void> {
  const isAsItWas = disk === '0:0' && card === E1000;
  await run(MAKE, [machine, disk, card, place('wkk.raw'), isAsItWas ? '' : place('donor.sav')]);
  const state = isAsItWas ? place('wkk.sav') : await adapted();
  const socket = (await run(START, [machine, state])).trim().split('\n').at(-1) ?? '';
  const shell = await SerialShell.open(socket);
  try {
    await shell.ask(NO_NOISE, 120);
    for (const [command, answer] of questions) {
      const said = await shell.ask(command, 240);
      score.check(`${name}: ${command}`, answer.test(said), said.slice(-1500));
    }
    if (isAsItWas) score.check(`${name}: no complaints`, !NOT_SAID.test(await shell.ask('dmesg | tail -4', 120)));
  } finally {
    shell.close();
  }
}

/** The state of the guest, made to fit the machine that the donor was saved from. */
async function adapted(): Promise<string> {
  const path = place('adapted.sav');
  rmSync(path, { force: true });
  const [source, donor] = [await openFile(place('wkk.sav')), await openFile(place('donor.sav'))];
  const sink = await openFileSink(path, {});
  try {
    const { proof } = await adapt(source, { donor }, sink);
    if (!proof?.holds) throw new Error(`not proved: ${proof?.refusal ?? proof?.differences.join(', ')}`);
    await sink.commit();
  } finally {
    await sink.abort();
    await source.close();
    await donor.close();
  }
  return path;
}

async function run(script: string, args: readonly string[]): Promise<string> {
  const { ok, output } = await virtualBox.bash(script, args, '180');
  if (!ok) throw new Error(output);
  return output;
}
