/** A command that writes a file: its words, in which `IN/` and `OUT/` stand for folders. */
export interface Form {
  name: string;
  words: string;
  /** The input whose bytes stand at `OUT/file` before: it is read and replaced. */
  inPlaceOf?: string;
}

export const FORMS: readonly Form[] = [
  { name: 'extract', words: 'extract IN/own-long.sav -o OUT/file' },
  { name: 'extract sparse', words: 'extract IN/own-long.sav --format sparse -o OUT/file' },
  { name: 'extract elf', words: 'extract IN/own-long.sav --format elf -o OUT/file' },
  { name: 'extract vbox-core', words: 'extract IN/own-long.sav --format vbox-core -o OUT/file' },
  { name: 'extract lime', words: 'extract IN/own-long.sav --format lime -o OUT/file' },
  { name: 'extract unit', words: 'extract IN/own-long.sav --unit cpum -o OUT/file' },
  { name: 'extract QEMU', words: 'extract IN/long-10.state -o OUT/file' },
  { name: 'convert down', words: 'convert IN/own-long.sav OUT/file --container 1.2' },
  { name: 'convert up', words: 'convert IN/older.sav OUT/file --container 2.0 --pgm 14' },
  { name: 'convert flatten', words: 'convert IN/own-long-live.sav OUT/file --flatten' },
  { name: 'convert in place', words: 'convert OUT/file OUT/file --container 1.2', inPlaceOf: 'own-long.sav' },
  { name: 'convert without proof', words: 'convert IN/own-long.sav OUT/file --pgm 12 --no-proof' },
  { name: 'convert QEMU plain', words: 'convert IN/virsh-gzip-10.save OUT/file --to plain' },
  { name: 'convert QEMU mapped', words: 'convert IN/long-10.state OUT/file --to mapped-ram' },
  { name: 'convert QEMU libvirt', words: 'convert IN/long-10.state OUT/file --to libvirt-raw --xml IN/domain.xml' },
  { name: 'convert QEMU gzip', words: 'convert IN/long-10.state OUT/file --to libvirt-gzip --xml IN/domain.xml' },
  { name: 'convert QEMU snapshot', words: 'convert IN/snap-10.qcow2:snap2 OUT/file' },
  { name: 'convert QEMU RAM apart', words: 'convert IN/long-10.state OUT/file --ram-out OUT/ram' },
  { name: 'convert QEMU in place', words: 'convert OUT/file OUT/file --to mapped-ram', inPlaceOf: 'long-10.state' },
  { name: 'salvage', words: 'salvage IN/cut.sav OUT/file' },
  { name: 'salvage fill', words: 'salvage IN/cut.sav OUT/file --fill zero' },
  { name: 'salvage QEMU', words: 'salvage IN/cut.state OUT/file' },
  { name: 'manifest', words: 'manifest IN/own-long.sav -o OUT/file' },
  { name: 'manifest msgpack', words: 'manifest IN/own-long.sav --format msgpack -o OUT/file' },
  { name: 'manifest QEMU', words: 'manifest IN/long-10.state -o OUT/file' },
  { name: 'adapt', words: 'adapt IN/own-long.sav --donor IN/own-pae.sav -o OUT/file --accept risk,loss' },
  { name: 'poke', words: 'poke IN/own-long.sav --at 0x1000 --file IN/bytes -o OUT/file' },
  { name: 'poke in place', words: 'poke OUT/file --at 0x1000 --hex 0011 -o OUT/file', inPlaceOf: 'own-long.sav' },
  { name: 'report', words: 'report IN/own-long.sav -o OUT/file' },
  { name: 'wake', words: 'wake IN/own-long.sav -o OUT/file' },
];

/** Commands that say what is in files, and write none. */
export const READERS: readonly Form[] = [
  'verify IN/own-long.sav',
  'verify IN/own-long.sav --manifest IN/own-long.manifest',
  'verify IN/long-10.state',
  'verify IN/snap-10.qcow2:snap2',
  'inspect IN/own-long.sav --json',
  'inspect IN/long-10.state --json',
  'diff IN/own-long.sav IN/own-pae.sav',
  'find IN/own-long.sav --text BIOS',
  'check IN/own-long.sav --against IN/own-pae.sav',
  'peek IN/own-long.sav --at 0 --len 64',
  'walk IN/own-long.sav 0x1000',
  'pagetable IN/own-long.sav',
  'stats IN/own-long.sav',
  'console IN/own-long.sav -c regs',
].map((words) => ({ name: words.replaceAll('IN/', ''), words }));
