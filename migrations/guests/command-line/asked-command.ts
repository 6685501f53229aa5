import { readJson } from '../../../formats/values/json-text.ts';
import { list, text } from '../../../formats/values/shape.ts';
import { type CommandLine, parseCommand, type QemuOption } from '../../../src/saved-state/qemu-check/command-words.ts';
import { MigrationError } from '../../wire/migration-error.ts';
import {
  checkParts,
  checkPath,
  harmful,
  joinedParts,
  namesAnotherKind,
  partsOfValue,
  type ValueParts,
} from './harmless-values.ts';
import { checkImages } from './image-heads.ts';

// A command line from another host is as dangerous as a program from there. Only options that make a machine of
// emulated devices and of files below one folder are taken over; others are replaced, left out or refused.

/** Replaces an option of the source by itself, another option, or nothing. @throws MigrationError `harmful-option` */
type Rule = (option: QemuOption, folder: string) => QemuOption[];

const keep: Rule = (option) => [option];
const drop: Rule = () => [];
/** Takes an option over if its value is harmless. */
const check: Rule = (option, folder) => {
  checkParts(option.name, takenApart(option), folder);
  return [option];
};
const file: Rule = (option, folder) => {
  // -initrd may name several files, with arguments after each.
  if (option.value?.includes(',')) throw harmful(option.name, 'there is a comma in its path');
  checkPath(option.name, option.value ?? '', folder);
  return [option];
};

/** Each host decides itself where a port leads. */
const port: Rule = ({ name, value = '' }) => [{ name, value: /^(chardev:[\w.-]+|none)$/.test(value) ? value : 'null' }];

/**
 * A rule that replaces an object by one of a kind that leads nowhere. @param kind of the replacement @param kept keys
 * that stay
 */
function silenced(kind: string, kept: RegExp): Rule {
  return ({ name, value = '' }) => {
    const parts = partsOfValue(name, value).parts.filter(({ key }) => kept.test(key));
    return [{ name, value: joinedParts({ kind, parts }) }];
  };
}

const RULES: Readonly<Record<string, Rule>> = {
  ...rules(check, 'machine M accel cpu m smp numa global rtc boot smbios msg icount k'),
  ...rules(
    keep,
    'name uuid append vga sandbox nodefaults no-user-config no-reboot no-shutdown enable-kvm no-acpi no-hpet usb',
  ),
  ...rules(file, 'kernel initrd dtb bios'),
  ...rules(
    drop,
    // One of these is overcommit: locked memory would be allocated before anybody has checked its size.
    'L qmp monitor mon pidfile daemonize D trace runas vnc spice display nographic incoming S mem-path loadvm ' +
      'overcommit',
  ),
  ...rules(port, 'serial parallel'),
  // Sound and output of ports lead nowhere.
  chardev: silenced('null', /^(id|mux)$/),
  audiodev: silenced('none', /^id$/),
  fw_cfg: (option) => {
    const { parts } = takenApart(option);
    if (parts.some(({ key }) => key !== 'name' && key !== 'string')) throw harmful(option.name, 'only string= is safe');
    return [option];
  },
  object: (option, folder) => {
    const value = takenApart(option);
    if (value.kind.startsWith('memory-backend-')) return [{ name: 'object', value: memoryOf(value) }];
    // The key with which libvirt encrypts all other secrets of this command line.
    if (value.kind === 'secret' && value.parts.some(({ key, value: id }) => key === 'id' && id === 'masterKey0'))
      return [];
    if (value.kind === 'rng-random')
      return [
        {
          name: 'object',
          value: joinedParts({ kind: 'rng-builtin', parts: value.parts.filter(({ key }) => key === 'id') }),
        },
      ];
    return allowed(option, value, OBJECTS, folder);
  },
  device: (option, folder) => {
    const value = takenApart(option);
    // QEMU would connect the guest to this host's speakers and microphone.
    if (SOUND.test(value.kind) && !value.parts.some(({ key }) => key === 'audiodev'))
      throw harmful(option.name, `${value.kind} names no audiodev`);
    return allowed(option, value, DEVICES, folder);
  },
  drive: (option, folder) => {
    const { kind, parts } = takenApart(option);
    if (kind !== '') throw harmful(option.name, `${kind} has no key`);
    const has = (name: string) => parts.some(({ key }) => key === name);
    // A guest could write a header into a raw image that makes QEMU take it for an image with a backing file.
    if (has('file') && !has('format')) throw harmful(option.name, 'it has no format=, so that QEMU would guess');
    for (const { key, value } of parts)
      if (
        !DRIVE_KEYS.test(key) ||
        (key === 'snapshot' && value !== 'off') ||
        (key === 'format' && !FORMATS.test(value))
      )
        throw harmful(option.name, `${key}=${value}`);
    return check(option, folder);
  },
  blockdev: (option, folder) => {
    const { kind, parts } = takenApart(option);
    const drivers = parts.filter(({ key }) => /(^|\.)driver$/.test(key)).map(({ value }) => value);
    for (const driver of [kind, ...drivers])
      if (!DRIVERS.test(driver)) throw harmful(option.name, `driver ${driver} is not for files`);
    // Without its lock, another guest could write the image after it was checked.
    const lock = parts.find(({ key }) => LOCKS.test(key));
    if (lock) throw harmful(option.name, `${lock.key}=${lock.value}`);
    // A value of `file` without a driver is the name of a node; a file would be a filename=.
    const files = parts.filter(({ key, value }) => !(/(^|\.)file$/.test(key) && /^[\w-]+$/.test(value)));
    checkParts(option.name, { kind, parts: files, isJson: false }, folder);
    return [option];
  },
  netdev: network,
  nic: network,
  net: network,
};

/** Objects that use nothing of the host but its processor time. */
const OBJECTS = /^(iothread|throttle-group|rng-builtin)$/;
const DRIVE_KEYS = new RegExp(
  '^(file|format|if|id|index|media|unit|bus|serial|cache|aio|discard|detect-zeroes|[wr]error|node-name|read-?only|' +
    'snapshot)$',
);
const DRIVERS = /^(file|qcow2|raw|throttle|copy-on-read)$/;
/** Formats whose images name no unchecked files. Images of other programs find a disk's data by names in the image. */
const FORMATS = /^(qcow2|raw)$/;
const LOCKS = /(^|\.)(locking|force-share)$/;
/** Networks without tap, for which QEMU runs a program of the host. */
const NETWORKS = /^(none|user|nic|hubport)$/;
const SOUND = /^(AC97|hda-)/;
/** Emulated devices, which do not access anything outside QEMU. */
const DEVICES = new RegExp(
  `^(${[
    'virtio-(blk|net|scsi|balloon|rng|serial|keyboard|mouse|tablet|vga|gpu)(-pci|-device)?(-(non-)?transitional)?',
    'virtserialport|virtconsole|scsi-(hd|cd)|ide-(hd|cd)|(ich9-)?ahci|piix[34]-(ide|usb-uhci)',
    'nvme(-ns)?|floppy|isa-fdc',
    'lsi53c895a|megasas(-gen2)?|pvscsi|e1000e?(-82\\d+\\w*)?|rtl8139|pcnet|ne2k_pci|vmxnet3|i8255\\w*',
    'VGA|cirrus-vga|qxl(-vga)?|bochs-display|secondary-vga|pcie-root-port|pcie-pci-bridge|pci-bridge|i82801b11-bridge',
    'ich9-usb-\\w+|usb-(ehci|tablet|kbd|mouse|hub|storage)|(qemu|nec-usb)-xhci|isa-serial|pci-serial|pvpanic(-pci)?',
    'i6300esb|ib700|vmcoreinfo|vmgenid|(ich9-)?intel-hda|AC97|hda-(duplex|output|micro)|pc-dimm',
  ].join('|')})$`,
);

/**
 * The command line for a QEMU here, from the source's.
 * @param outline the source's command line, unchecked
 * @param own program of this host, with options that begin its command line @param folder with the files that the guest
 * may use
 * @throws MigrationError `harmful-option` for an option that can't be taken over, `no-command-line` if the source tells
 * none
 */
export function askedCommand(outline: Uint8Array, own: CommandLine, folder: string): CommandLine {
  const { options } = commandOf(outline);
  // Of two sandboxes the looser one might count.
  const isOurs = ({ name }: QemuOption) => name === 'sandbox' && own.options.some((option) => option.name === name);
  const taken = options.flatMap((option) => {
    if (isOurs(option)) return [];
    const rule = Object.hasOwn(RULES, option.name) ? RULES[option.name] : undefined;
    if (!rule) throw harmful(option.name, 'it is not known as harmless');
    return rule(option, folder);
  });
  checkImages(taken);
  return { program: own.program, options: [...own.options, ...taken, { name: 'display', value: 'none' }] };
}

const wordsShape = list(text(1 << 16), 4096);

function commandOf(outline: Uint8Array): CommandLine {
  const bad = (why: string) =>
    new MigrationError('no-command-line', `Cannot take guest: its source tells no command line: ${why}`);
  const words = readJson(Buffer.from(outline).toString('utf8'), wordsShape, bad);
  if (words.length === 0) throw bad('the process of QEMU could not be looked into');
  return parseCommand(words);
}

function rules(rule: Rule, names: string): Record<string, Rule> {
  return Object.fromEntries(names.split(' ').map((name) => [name, rule]));
}

function takenApart({ name, value = '' }: QemuOption): ValueParts {
  return partsOfValue(name, value);
}

function allowed(option: QemuOption, value: ValueParts, kinds: RegExp, folder: string): QemuOption[] {
  if (!kinds.test(value.kind)) throw harmful(option.name, `${value.kind} is not known as harmless`);
  if (namesAnotherKind(value)) throw harmful(option.name, `it names another kind than ${value.kind}`);
  checkParts(option.name, value, folder);
  return [option];
}

function network(option: QemuOption, folder: string): QemuOption[] {
  return allowed(option, takenApart(option), NETWORKS, folder);
}

/** Memory without a file, since files of the source are its own, and not allocated before its size is checked. */
function memoryOf({ parts }: ValueParts): string {
  const kept = parts.filter(({ key }) => /^(id|size|merge|dump|x-use-canonical-path-for-ramblock-id)$/.test(key));
  const words = kept.map(({ key, value }) => ({ key, value: { true: 'on', false: 'off' }[value] ?? value }));
  return joinedParts({ kind: 'memory-backend-memfd', parts: [...words, { key: 'share', value: 'on' }] });
}
