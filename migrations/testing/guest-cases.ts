// Guests of QEMU for campaigns: what start.sh makes of them, and how they are moved.

/** One guest that is moved, and how. */
export interface GuestCase {
  name: string;
  /** Options of start.sh. */
  options: string[];
  /** Version of the target's QEMU, where it is another one. */
  to?: 10;
  /** The guest checks its own memory, and tells so. */
  isLinux?: boolean;
  /** Its memory is in no file that both can open: QEMU itself writes it out on both sides, to be compared. */
  isHidden?: boolean;
  /** The kernel notes its writes. */
  notesWrites?: boolean;
  streams?: number;
  /** Over sockets, with TLS and certificates; else over streams in this process. */
  isSecure?: boolean;
  /** It writes to a qcow2 disk, which is copied along. */
  hasDisk?: boolean;
  /** Changes the command line that start.sh makes. */
  rewrite?: (line: string) => string;
}

const BARE = ['mini-real', 'mini-prot', 'mini-pae', 'mini-long', 'mini-la57', 'mini-smp'];
const linux = (ram: number, rate: number, ...more: string[]) => [
  ...['--ram', String(ram), '--rate', String(rate), '--words', '500'],
  ...more,
];

/** A second memory, in a file of its own. */
const DIMM = [
  ...['-m', 'size=256M,slots=2,maxmem=1G', '-object'],
  'memory-backend-file,id=dimm,size=128M,mem-path=/dev/shm/savkit-qemu-move-a.ram2,share=on',
  ...['-device', 'pc-dimm,id=d0,memdev=dimm'],
];

const LINUX_TLS = { isLinux: true, isSecure: true };

/** Half of the memory for each of two nodes, each half in a file of its own. */
function onTwoNodes(quoted: string): string {
  const line = quoted.replaceAll('\\,', ',');
  const [memory, path] = /memory-backend-file,id=pc\.ram,size=256M,mem-path=(\S+?),share=on/.exec(line) ?? [];
  if (memory === undefined) throw new Error(`no memory of 256 MiB in ${line}`);
  const half = (node: number, file: string) =>
    `-object memory-backend-file,id=ram${node},size=128M,mem-path=${file},share=on ` +
    `-numa node,nodeid=${node},memdev=ram${node},cpus=${node}`;
  return line
    .replace(',memory-backend=pc.ram', '')
    .replace(`-object ${memory}`, `${half(0, path)} ${half(1, `${path}2`)}`);
}

export const CASES: GuestCase[] = [
  ...BARE.flatMap((guest) => {
    const cpus = guest === 'mini-smp' ? ['--cpus', '2'] : [];
    return [
      { name: `${guest} 7`, options: ['--qemu', '7', '--guest', guest, ...cpus] },
      { name: `${guest} 10`, options: ['--qemu', '10', '--guest', guest, ...cpus] },
      { name: `${guest} 7 to 10`, options: ['--qemu', '7', '--guest', guest, ...cpus], to: 10 as const },
    ];
  }),
  { name: 'mini-long q35 7', options: ['--guest', 'mini-long', '--machine', 'pc-q35-7.2'] },
  { name: 'mini-long q35 10', options: ['--qemu', '10', '--guest', 'mini-long', '--machine', 'pc-q35-7.2'] },
  { name: 'mini-long memfd 7', options: ['--qemu', '7', '--guest', 'mini-long', '--ram-kind', 'memfd'] },
  { name: 'linux 128 idle 7', options: linux(128, 0), isLinux: true },
  { name: 'linux 128 idle 10', options: linux(128, 0, '--qemu', '10'), isLinux: true },
  { name: 'linux 128 20 MB/s 7', options: linux(128, 20), isLinux: true },
  { name: 'linux 128 20 MB/s 10', options: linux(128, 20, '--qemu', '10'), isLinux: true },
  { name: 'linux 128 20 MB/s 7 to 10', options: linux(128, 20), to: 10, isLinux: true },
  {
    name: 'linux 128 20 MB/s q35 10',
    options: linux(128, 20, '--qemu', '10', '--machine', 'pc-q35-7.2'),
    isLinux: true,
  },
  { name: 'linux 256 20 MB/s 2 CPUs 10', options: linux(256, 20, '--qemu', '10', '--cpus', '2'), isLinux: true },
  {
    name: 'linux 256 100 MB/s 10',
    options: linux(256, 100, '--qemu', '10'),
    isLinux: true,
  },
  { name: 'linux 1024 20 MB/s 10', options: linux(1024, 20, '--qemu', '10'), isLinux: true },
  { name: 'linux 128 20 MB/s 4 streams 10', options: linux(128, 20, '--qemu', '10'), isLinux: true, streams: 4 },
  ...([7, 10] as const).flatMap((qemu) => [
    // RAM in two pieces, as with more than 3 GiB.
    {
      name: `mini-long split ${qemu}`,
      options: `--qemu ${qemu} --guest mini-long --ram 256 -- -machine max-ram-below-4g=128M`.split(' '),
    },
    {
      name: `linux 128 5 MB/s disk ${qemu}`,
      options: linux(128, 5, '--qemu', String(qemu), '--disk-rate', '300'),
      isLinux: true,
      hasDisk: true,
    },
  ]),
];

for (const [name, options, isLinux] of [
  ['mini-long private', ['--guest', 'mini-long', '--ram-kind', 'private'], false],
  ['linux 128 20 MB/s private', linux(128, 20, '--ram-kind', 'private'), true],
  ['linux 128 idle memfd', linux(128, 0, '--ram-kind', 'memfd'), true],
] as const) {
  const more = { isLinux, isHidden: true };
  CASES.push({ name: `${name} 7`, options: [...options], ...more });
  CASES.push({ name: `${name} 10`, options: [...options, '--qemu', '10'], ...more });
  CASES.push({ name: `${name} 7 to 10`, options: [...options], to: 10, ...more });
}

for (const qemu of [7, 10] as const)
  CASES.push(
    { name: `mini-long noted ${qemu}`, options: ['--qemu', `${qemu}`, '--guest', 'mini-long'], notesWrites: true },
    ...[20, 100].map((rate) => ({
      ...{ name: `linux 256 ${rate} MB/s noted ${qemu}`, options: linux(256, rate, '--qemu', `${qemu}`) },
      ...{ isLinux: true, notesWrites: true },
    })),
    {
      name: `linux 128 20 MB/s private noted ${qemu}`,
      options: linux(128, 20, '--qemu', `${qemu}`, '--ram-kind', 'private'),
      ...{ isLinux: true, isHidden: true, notesWrites: true },
    },
  );

for (const qemu of [7, 10] as const)
  CASES.push(
    {
      name: `linux 128 20 MB/s TLS ${qemu}`,
      options: linux(128, 20, '--qemu', `${qemu}`),
      ...{ isLinux: true, isSecure: true },
    },
    {
      name: `linux 128 5 MB/s disk 4 streams TLS ${qemu}`,
      options: linux(128, 5, '--qemu', `${qemu}`, '--disk-rate', '300'),
      ...{ isLinux: true, isSecure: true, hasDisk: true, streams: 4 },
    },
    {
      name: `linux 128 20 MB/s private TLS 4 streams ${qemu}`,
      options: linux(128, 20, '--qemu', `${qemu}`, '--ram-kind', 'private'),
      ...{ isLinux: true, isSecure: true, isHidden: true, streams: 4 },
    },
    { name: `linux 2048 idle ${qemu}`, options: linux(2048, 0, '--qemu', `${qemu}`), isLinux: true },
    // More than 3 GiB: memory has a hole for the guest, and none in its file.
    {
      name: `linux 4096 20 MB/s noted ${qemu}`,
      options: linux(4096, 20, '--qemu', `${qemu}`),
      isLinux: true,
      notesWrites: true,
    },
    {
      name: `linux 256 5 MB/s DIMM ${qemu}`,
      options: [...linux(256, 5, '--qemu', `${qemu}`), '--', ...DIMM],
      isLinux: true,
    },
  );

// Guests whose writes the kernel notes, and guests whose memory only QEMU has, in all cases in which memory is
// compared.
for (const qemu of [7, 10] as const) {
  const more = ['--qemu', `${qemu}`];
  const q35 = [...more, '--machine', 'pc-q35-7.2'];
  const disk = [...more, '--disk-rate', '300'];
  const hidden = ['--ram-kind', 'private'];
  const noted = { isLinux: true, notesWrites: true };
  const secret = { isLinux: true, isHidden: true };
  CASES.push(
    { name: `linux 128 20 MB/s q35 noted ${qemu}`, options: linux(128, 20, ...q35), ...noted },
    { name: `linux 128 20 MB/s q35 private ${qemu}`, options: linux(128, 20, ...q35, ...hidden), ...secret },
    { name: `linux 256 20 MB/s 2 CPUs noted ${qemu}`, options: linux(256, 20, ...more, '--cpus', '2'), ...noted },
    {
      name: `linux 256 20 MB/s 2 CPUs private ${qemu}`,
      options: linux(256, 20, ...more, '--cpus', '2', ...hidden),
      ...secret,
    },
    {
      name: `linux 256 20 MB/s split noted ${qemu}`,
      options: [...linux(256, 20, ...more), '--', '-machine', 'max-ram-below-4g=128M'],
      ...noted,
    },
    { name: `linux 2048 20 MB/s noted ${qemu}`, options: linux(2048, 20, ...more), ...noted },
    { name: `linux 2048 20 MB/s ${qemu}`, options: linux(2048, 20, ...more), isLinux: true },
    { name: `linux 128 5 MB/s disk noted ${qemu}`, options: linux(128, 5, ...disk), ...noted, hasDisk: true },
    {
      name: `linux 128 5 MB/s disk private ${qemu}`,
      options: linux(128, 5, ...disk, ...hidden),
      ...{ ...secret, hasDisk: true },
    },
    { name: `linux 128 20 MB/s 4 streams noted ${qemu}`, options: linux(128, 20, ...more), ...noted, streams: 4 },
    { name: `linux 128 20 MB/s TLS noted ${qemu}`, options: linux(128, 20, ...more), ...noted, isSecure: true },
    {
      name: `linux 128 20 MB/s 4 streams TLS noted ${qemu}`,
      options: linux(128, 20, ...more),
      ...{ ...noted, streams: 4, isSecure: true },
    },
    { name: `linux 128 20 MB/s 4 streams TLS ${qemu}`, options: linux(128, 20, ...more), ...LINUX_TLS, streams: 4 },
    {
      name: `linux 128 20 MB/s private TLS ${qemu}`,
      options: linux(128, 20, ...more, ...hidden),
      ...{ ...secret, isSecure: true },
    },
    {
      name: `linux 128 20 MB/s private 4 streams ${qemu}`,
      options: linux(128, 20, ...more, ...hidden),
      ...{ ...secret, streams: 4 },
    },
    ...[{}, { notesWrites: true }].map((tracking) => ({
      name: `linux 256 20 MB/s NUMA ${'notesWrites' in tracking ? 'noted ' : ''}${qemu}`,
      options: linux(256, 20, ...more, '--cpus', '2'),
      ...{ isLinux: true, rewrite: onTwoNodes, ...tracking },
    })),
  );
}
CASES.push(
  { name: 'mini-long noted 7 to 10', options: ['--guest', 'mini-long'], to: 10, notesWrites: true },
  { name: 'linux 128 20 MB/s noted 7 to 10', options: linux(128, 20), to: 10, isLinux: true, notesWrites: true },
);
