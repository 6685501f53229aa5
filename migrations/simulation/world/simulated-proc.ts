import type { Disk, FileStatus } from '../../../formats/world/disk.ts';
import type { HostSockets } from './host-sockets.ts';
import type { SocketOwner } from './simulated-socket.ts';

/** A process, as `/proc` shows it. */
export interface KnownProcess extends SocketOwner {
  readonly pid: number;
  readonly words: readonly string[];
  readonly files: { readonly descriptors: readonly { fd: number; path: string }[] };
}

/** The host whose processes are shown. */
interface Host {
  readonly running: ReadonlyMap<number, KnownProcess>;
  readonly sockets: HostSockets;
}

/** Address of the memory of each QEMU. */
export const RAM_AT = 0x7f00_0000_0000;
const FOLDER = { dev: 1n, ino: 0n };
/** Numbers of descriptors of sockets, which files do not have. */
const FIRST_SOCKET = 10_000;

/** The same disk, with the processes of a host under `/proc`, as on Linux. */
export function withProc(disk: Disk, host: Host): Disk {
  const socketsOf = (process: KnownProcess) =>
    host.sockets.listeningOf(process).map((file, i) => ({ fd: FIRST_SOCKET + i, target: `socket:[${file.number}]` }));
  const linksOf = (pid: number) => {
    const process = host.running.get(pid);
    if (!process) return [];
    return [...process.files.descriptors.map(({ fd, path }) => ({ fd, target: path })), ...socketsOf(process)];
  };
  const target = (path: string) => {
    const [, pid, fd] = /^\/proc\/(\d+)\/fd\/(\d+)$/.exec(path) ?? [];
    return linksOf(Number(pid)).find((link) => link.fd === Number(fd))?.target;
  };
  const statOf = (path: string): FileStatus | undefined => {
    const [, pid] = /^\/proc\/(\d+)$/.exec(path) ?? [];
    return pid !== undefined && host.running.has(Number(pid)) ? disk.statSync('/records') : undefined;
  };
  /** Open memories of processes, by their descriptors. */
  const memories = new Map<number, KnownProcess>();
  return {
    ...disk,
    openSync(path, flags, mode) {
      const [, pid] = /^\/proc\/(\d+)\/mem$/.exec(path) ?? [];
      const process = host.running.get(Number(pid));
      const [, ram] = /mem-path=([^, ]+)/.exec(process?.words.join(' ') ?? '') ?? [];
      if (!process || ram === undefined) return disk.openSync(path, flags, mode);
      const fd = disk.openSync(ram, flags, mode);
      memories.set(fd, process);
      return fd;
    },
    readSync(fd, target, at, length, position) {
      const process = memories.get(fd);
      if (process?.isGone) return 0;
      return disk.readSync(fd, target, at, length, process ? position - RAM_AT : position);
    },
    readdirSync(path) {
      if (path === '/proc') return [...host.running.keys()].map(String);
      const [, pid] = /^\/proc\/(\d+)\/fd$/.exec(path) ?? [];
      return pid === undefined ? disk.readdirSync(path) : linksOf(Number(pid)).map(({ fd }) => String(fd));
    },
    readlinkSync: (path) => target(path) ?? disk.readlinkSync(path),
    readFileSync(path, encoding) {
      if (path === '/proc/net/unix') return host.sockets.table();
      const [, pid] = /^\/proc\/(\d+)\/cmdline$/.exec(path) ?? [];
      if (pid === undefined) return disk.readFileSync(path, encoding);
      return (host.running.get(Number(pid))?.words ?? []).map((word) => `${word}\0`).join('');
    },
    statSync: (path) => statOf(path) ?? disk.statSync(path),
    identitySync(file) {
      if (typeof file === 'number') return disk.identitySync(file);
      const path = (target(file) ?? file).replace(/^\/proc\/\d+\/root(?=\/)/, '');
      return path === '/' ? FOLDER : disk.identitySync(path);
    },
  };
}
