/** The place of a failure in a state, as far as VirtualBox's message names it. */
export interface LogPlace {
  /** Name of the unit. */
  unit?: string;
  /** Number among units of one name. */
  instance?: number;
  /** Version of the unit. */
  version?: number;
  /** Number of the pass, or `final`. */
  pass?: string;
}

const UNIT = "'(?<unit>[^']+)'";
const INSTANCE = 'instance #(?<instance>\\d+)';
const VERSION = 'version (?<version>\\d+)';
const PASS = 'pass (?<pass>0x[0-9a-f]+|\\w+)';
// Patterns of all releases since 3.1, with named groups; any text may precede.
const WORDS = [
  new RegExp(`LoadExec failed for ${UNIT} ${INSTANCE} \\(${VERSION}, ${PASS}\\)`, 'i'),
  new RegExp(`Unsupported ${VERSION} of data unit ${UNIT} \\(${INSTANCE}, ${PASS}\\)`, 'i'),
  /\bunit (?:name )?'(?<unit>[^']+)' instance #?(?<instance>\d+)/i,
  /\bunit '(?<unit>[^']+)' \(instance #(?<instance>\d+)/i,
  /\bunit '(?<unit>[^']+)'\/#?(?<instance>\d+)/i,
  /\bfailed for '(?<unit>[^']+)' instance #(?<instance>\d+)/i,
  /\b(?:Load|Save)Exec failed for '(?<unit>[^']+)'/i,
  /\bunit ['"](?<unit>[^'"/\\]+)['"]/i,
  /\bload unit (?<unit>[\w-]+)\W+VERR_/i,
  /(?<![\w/.-])(?=[\w-]*[a-zA-Z])(?<unit>[\w-]+)#(?<instance>\d+): /,
] as const;
/** The end of messages of devices. */
const VERSION_AND_PASS = /\[ver=(?<version>\d+) pass=#?(?<pass>\w+)\]/;
const FINAL = /^(?:0xffffffff|final)$/i;

/** The unit that a message of VirtualBox names; empty if it names no unit. */
export function placeIn(text: string): LogPlace {
  for (const words of WORDS) {
    const groups = words.exec(text)?.groups;
    if (!groups) continue;
    const { unit, instance } = groups;
    const { version = groups.version, pass = groups.pass } = VERSION_AND_PASS.exec(text)?.groups ?? {};
    return {
      unit,
      instance: instance === undefined ? undefined : Number(instance),
      version: version === undefined ? undefined : Number(version),
      pass: pass === undefined ? undefined : FINAL.test(pass) ? 'final' : String(Number(pass)),
    };
  }
  return {};
}
