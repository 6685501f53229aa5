const aboutOthers = new WeakSet<object>();

/**
 * Reads another file that a command needs beside the one that it works on: settings, a manifest, another state. An
 * error about it is no verdict on the file that the command works on, which then counts as failed: even a file that
 * was found in a folder is not passed over as no state.
 */
export async function fromOtherFile<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw noteAboutOther(error);
  }
}

/** Notes that an error is about another file than the one that a command works on. @returns the error */
export function noteAboutOther(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) aboutOthers.add(error);
  return error;
}

export function isAboutOther(error: object): boolean {
  return aboutOthers.has(error);
}
