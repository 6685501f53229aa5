import { isAbsolute, sep } from 'node:path';
import { parseJson } from '../../../formats/values/json-text.ts';
import { world } from '../../../formats/world/world.ts';
import { joinParts, partsOf } from '../../../src/saved-state/qemu-check/command-words.ts';
import { MigrationError } from '../../wire/migration-error.ts';

// Tells which values are harmless in a command line that comes from another host.

/** A value of an option, taken apart; from JSON each leaf, with the keys above it: `file.filename`. */
export interface ValueParts {
  /** The kind, which is the first part without a key, or has a key of its own: `virtio-blk-pci`. */
  kind: string;
  parts: { key: string; value: string }[];
  isJson: boolean;
}

/** The keys by which options in JSON name their kind. */
const KIND_KEYS = ['driver', 'qom-type', 'type', 'backend'];
/** Keys that reach for things of this host: open files, programs, devices, ports. */
const REACHING = new RegExp(
  `(^|\\.)(${[
    'fds?|vhost(fds?|force)?|sock(et)?|(down)?script|helper|(host|guest)fwd|smb.*|tftp|bootfile',
    'host|sysfsdev|path|romfile|rrfile|dumpdtb',
  ].join('|')})(\\.|$)`,
);
/** A word before the colon chooses a protocol of QEMU: `nbd:…`, `json:…`, `fat:…`. */
const PROTOCOL = /^[\w+.-]+:/;
/** Keys whose values are files, also without a slash: QEMU looks for such files in its own folder. */
const FILE_KEYS = /(^|\.)(file|filename|kernel|initrd|dtb|firmware|shim|splash)$/;
/** Options that QEMU takes in JSON; it cuts the values of all others at their commas. */
const IN_JSON = ['object', 'device', 'blockdev', 'netdev', 'chardev', 'audiodev'];
/** In a key QEMU does not read a doubled comma as one comma: the text after it would be a key of its own. */
const KEY = /^[\w.-]*$/;
/** Values with a slash that are no paths: ranges of addresses. */
const ADDRESSES = /(^|\.)(net|ipv6-net|ipv6-prefix)$/;

/** @throws MigrationError `harmful-option` for bad JSON, and for JSON in other options */
export function partsOfValue(option: string, value: string): ValueParts {
  if (!value.startsWith('{')) {
    const all = partsOf(value);
    for (const { key } of all) if (!KEY.test(key)) throw harmful(option, `${key.replaceAll('\0', ',,')} is no key`);
    const [first] = all;
    if (first.key === '' || KIND_KEYS.includes(first.key))
      return { kind: first.value, parts: all.slice(1), isJson: false };
    return { kind: '', parts: all, isJson: false };
  }
  if (!IN_JSON.includes(option)) throw harmful(option, 'QEMU takes no JSON there');
  const parts = leavesOf(
    parseJson(value, () => harmful(option, 'its value is no JSON')),
    '',
  );
  const kind = parts.find(({ key }) => KIND_KEYS.includes(key));
  return { kind: kind?.value ?? '', parts: parts.filter((part) => part !== kind), isJson: true };
}

/** Whether a value names its kind twice: QEMU takes the last one. @param parts without the first one */
export function namesAnotherKind({ parts }: ValueParts): boolean {
  return parts.some(({ key }) => KIND_KEYS.includes(key));
}

/** A value in the form without JSON, for options that know both forms. */
export function joinedParts({ kind, parts }: Pick<ValueParts, 'kind' | 'parts'>): string {
  return joinParts([{ key: '', value: kind }, ...parts]);
}

/** @param folder below which files of guests lie @throws MigrationError `harmful-option` */
export function checkParts(option: string, { kind, parts }: ValueParts, folder: string): void {
  if (kind.includes('/')) throw harmful(option, `${kind} is not the name of a kind`);
  for (const { key, value } of parts) checkPart(option, key, value, folder);
}

function checkPart(option: string, key: string, value: string, folder: string): void {
  // A network device that names no program runs none.
  const isOff = value === 'no' || value === 'off' || value === '';
  // -global driver=…,property=…
  const isReaching = REACHING.test(key) || (key === 'property' && REACHING.test(value));
  if (isReaching && !isOff) throw harmful(option, `${key}=${value} reaches for things of this host`);
  if (FILE_KEYS.test(key)) checkPath(option, value, folder);
  else if (value.includes('/') && !ADDRESSES.test(key)) checkPath(option, value, folder);
}

/**
 * Checks that a file exists below the folder, also after links are resolved. @throws MigrationError `harmful-option`
 */
export function checkPath(option: string, path: string, folder: string): void {
  if (!isAbsolute(path) || PROTOCOL.test(path)) throw harmful(option, `${path} is no full path of a file`);
  const real = realOf(path);
  if (real === undefined) throw harmful(option, `${path} is not there`);
  const realFolder = realOf(folder);
  if (realFolder === undefined) throw harmful(option, `the folder ${folder} is not there`);
  if (!real.startsWith(realFolder + sep)) throw harmful(option, `${path} does not lie below ${folder}`);
}

/** @param why completes "Cannot take guest: -OPTION of its command line can't be taken over: …" */
export function harmful(option: string, why: string): MigrationError {
  return new MigrationError(
    'harmful-option',
    `Cannot take guest: -${option} of its command line can't be taken over: ${why}; --qemu-args ` +
      'takes a command line of your own',
  );
}

function realOf(path: string): string | undefined {
  try {
    return world.disk.realpathSync(path);
  } catch {
    return undefined;
  }
}

function leavesOf(value: unknown, key: string): { key: string; value: string }[] {
  if (value === null || typeof value !== 'object') return [{ key, value: String(value ?? '') }];
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, key === '' ? name : `${key}.${name}`));
}
