import { statSync } from 'node:fs';

/** Whether there is a socket of that name: the control socket of a machine, then. */
export function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** The path of a socket as Node takes it for one: it takes a name like `8080` for the number of a TCP port. */
export function socketPath(path: string): string {
  return Number(path) >= 0 ? `./${path}` : path;
}
