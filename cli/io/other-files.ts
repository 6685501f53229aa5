const aboutOthers = new WeakSet<object>();

/**
 * Reads what a command needs beside the file that it works on: settings, a manifest, another state. Errors about it are
 * no verdict on that file, and of a folder it is not passed over.
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
