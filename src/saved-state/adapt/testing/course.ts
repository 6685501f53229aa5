import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, MachinePark } from '../../check/testing/machine-park.ts';

/** Core dumps of a machine, stopped at four moments. */
export interface Course {
  loaded: Buffer;
  /** The guest has run. */
  ran: Buffer;
  /** Saved then, and loaded again. */
  reloaded: Buffer;
  /** The guest has run again. */
  ranOn: Buffer;
}

const MOMENTS = ['loaded', 'ran', 'reloaded', 'ranOn'] as const satisfies (keyof Course)[];

/**
 * Loads a state, lets the guest run for so many seconds, saves, loads that, lets it run again. @returns why not, where
 * it does not load
 */
export async function runCourse(
  park: MachinePark,
  state: string,
  into: string,
  seconds: number,
): Promise<Course | Answer> {
  const prefix = park.place('course');
  for (const moment of MOMENTS) rmSync(`${prefix}.${moment}`, { force: true });
  const { ok, output } = await park.bash(COURSE, [park.machine(into), state, prefix, `${seconds}`]);
  if (!ok) return MachinePark.refusal(output);
  return Object.fromEntries(
    MOMENTS.map((moment) => [moment, readFileSync(`${prefix}.${moment}`)]),
  ) as unknown as Course;
}

/** Copies the ROM of a guest that counts and looks at the PCI bus into the chroot. @returns its place there */
export async function buildRom(park: MachinePark, source: string): Promise<string> {
  const { ok, output } = await park.bash(BUILD, [source]);
  if (!ok) throw new Error(`Cannot assemble ${source}: ${output}`);
  return join('/vm/img', output.trim().split('\n').at(-1) ?? '');
}

const BUILD = `
  mkdir -p "$ROOT/vm/src" "$ROOT/vm/img"; cp "$1" "$ROOT/vm/src/savkit-adapt.asm"
  vb nasm -f bin -DMODE=3 -o /vm/img/savkit-adapt.rom /vm/src/savkit-adapt.asm; echo savkit-adapt.rom`;

/** The machine's process is ended with the script, also where it hangs. */
const COURSE = `
  vm=$1 state=$2 prefix=$3 seconds=$4 VM_PID=; lock_vm "$vm"; make_idle "$vm"; out=$(mktemp)
  trap 'rm -f "$out" "$ROOT/vm/load/$vm".*; [ -z "$VM_PID" ] || kill -9 "$VM_PID" 2>/dev/null || true' EXIT
  trap 'echo "no answer in time: $step"; exit 1' TERM
  load() {
    step="loading $1"; cp "$1" "$ROOT/vm/load/$vm.sav"; manage adoptstate "$vm" "/vm/load/$vm.sav" >"$out"
    touch "$RUN/start.$vm"
    launch_until "$vm" "$out" paused --start-paused && return 0
    log=$(vm_log "$vm"); [ "$log" -nt "$RUN/start.$vm" ] || log=
    echo "FAIL $(error_text "$out" "$log")"; wait_gone "$VM_PID" 15 || true; manage discardstate "$vm" >/dev/null 2>&1 || true
    exit 1
  }
  dump() { step="dumping"; vb VBoxManage debugvm "$vm" dumpvmcore --filename="/vm/load/$vm.elf"; mv "$ROOT/vm/load/$vm.elf" "$1"; }
  run() { step="running"; manage controlvm "$vm" resume; sleep "$seconds"; manage controlvm "$vm" pause; }
  load "$state"; dump "$prefix.loaded"; run; dump "$prefix.ran"
  step="saving"; manage controlvm "$vm" savestate >/dev/null 2>&1 || true
  for _ in $(seq 1 100); do case "$(vm_state "$vm")" in saved|aborted-saved) break ;; esac; sleep 0.1; done
  wait_gone "$VM_PID" 15 || kill -9 "$VM_PID"
  cp "$(find "$MACHINES/$vm/Snapshots" -name '*.sav' -printf '%T@ %p\\n' | sort -n | tail -1 | cut -d' ' -f2-)" "$prefix.sav"
  manage discardstate "$vm" >/dev/null
  load "$prefix.sav"; dump "$prefix.reloaded"; run; dump "$prefix.ranOn"
  manage controlvm "$vm" poweroff >/dev/null 2>&1 || true; wait_gone "$VM_PID" 15 || true`;
