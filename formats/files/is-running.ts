/** Whether a process of this number runs on this host; another one may have got the number of one that has ended. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Those of other users run, too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
