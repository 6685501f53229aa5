/** savkit's own program, for starting further processes; the build puts it beside this file. */
export const SAVKIT = new URL('./savkit.js', import.meta.url);
