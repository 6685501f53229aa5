import type { FormatCode } from '../../../formats/codes/format-codes.ts';
import { unlessBad } from '../../../formats/errors.ts';
import {
  LIBVIRT_HEADER_SIZE,
  LIBVIRT_UNUSED,
  type LibvirtImage,
} from '../../../formats/qemu/containers/libvirt-image.ts';
import { parseSettings } from '../machine-facts/settings-xml.ts';
import { type LibvirtDomain, readDomain } from '../qemu/libvirt-domain.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import type { Findings } from '../reading/findings.ts';

const UUID = /^[\da-f]{8}-?([\da-f]{4}-?){3}[\da-f]{12}$/i;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Checks the head of a libvirt image, and its settings against the stream. */
export function checkSaveImage(state: QemuState, findings: Findings): void {
  const { container } = state;
  if (container.kind !== 'libvirt') return;
  const add: Add = (code, message, offset, qemuSays) =>
    findings.add({ severity: 'error', code, message, place: { offset }, qemuSays });
  checkHead(container.image, findings, add);
  const domain = isText(container.image.data, 0) ? readDomain(container.image.xml) : undefined;
  if (domain) checkDomain(domain, state, findings, add);
  else add('bad-xml', "libvirt's settings of the machine cannot be read: virsh refuses the image", LIBVIRT_HEADER_SIZE);
}

type Add = (code: FormatCode, message: string, offset: number, qemuSays?: string) => void;

function checkHead({ header, runningWord, data, cookieOffset }: LibvirtImage, findings: Findings, add: Add): void {
  if (runningWord > 1)
    add('bad-header', `The header's flag for a running machine is ${runningWord}: libvirt writes 0 or 1`, 24);
  if (header.subarray(LIBVIRT_UNUSED).some((byte) => byte !== 0))
    findings.warn(
      'bad-header',
      'The header has bytes that libvirt leaves 0: a newer libvirt wrote it, or it is damaged',
      undefined,
      { offset: LIBVIRT_UNUSED },
    );
  const xmlEnd = data.indexOf(0);
  const isCookie = cookieOffset > xmlEnd && isText(data, cookieOffset) && isXml(data, cookieOffset);
  if (cookieOffset !== 0 && !isCookie)
    add('bad-xml', "libvirt's cookie cannot be read at the offset in the header", 32, 'failed to read cookie');
  const end = cookieOffset === 0 || !isCookie ? xmlEnd : data.indexOf(0, cookieOffset);
  const odd = data.findIndex((byte, i) => i >= end && byte !== 0);
  if (odd >= 0 && (isCookie || cookieOffset === 0))
    add(
      'left-over',
      "There are bytes between libvirt's settings and the stream, where libvirt writes zeros",
      LIBVIRT_HEADER_SIZE + odd,
    );
}

/** Whether a text ends with NUL, and has only characters that XML allows. */
function isText(data: Uint8Array, from: number): boolean {
  const end = data.indexOf(0, from);
  if (end <= from) return false;
  const bytes = data.subarray(from, end);
  try {
    utf8.decode(bytes);
  } catch {
    return false;
  }
  return !bytes.some((byte) => byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13);
}

function isXml(data: Uint8Array, from: number): boolean {
  const text = utf8.decode(data.subarray(from, data.indexOf(0, from)));
  return unlessBad(() => parseSettings(text, "libvirt's cookie")) !== undefined;
}

/** Compares libvirt's settings of the machine with the stream. */
function checkDomain(
  domain: LibvirtDomain,
  { configuration, cpus, blocks }: QemuState,
  findings: Findings,
  add: Add,
): void {
  if (domain.uuid !== undefined && !UUID.test(domain.uuid.trim()))
    add(
      'bad-xml',
      `The UUID in libvirt's settings is ${JSON.stringify(domain.uuid)}: virsh refuses the image`,
      LIBVIRT_HEADER_SIZE,
      'malformed uuid element',
    );
  const ramSize = blocks.reduce((sum, block) => sum + (block.isRam ? block.size : 0), 0);
  const told = (what: string, own: unknown, other: unknown) => {
    if (own === undefined || other === undefined || own === other) return;
    const message =
      `libvirt's settings say ${what} ${own}, the stream says ${other}: QEMU will refuse it or ` +
      'take the wrong machine';
    findings.add({ severity: 'error', code: 'other-machine', message, place: {} });
  };
  told('machine type', domain.machine, configuration.machine);
  told('RAM size in bytes', domain.memory, ramSize > 0 ? ramSize : undefined);
  told('number of CPUs', domain.cpus, cpus.length > 0 ? cpus.length : undefined);
}
