/** The program that this process runs, to be started once more; beside this file once both are built. */
export const SAVKIT = new URL('./savkit.js', import.meta.url);
