import { COMPRESSIONS, LIBVIRT_HEADER_SIZE, LIBVIRT_MAGIC, type LibvirtImage } from '../containers/libvirt-image.ts';

/** The version that libvirt writes today. */
const VERSION = 2;
/** Room that libvirt leaves for longer XML (`virsh save-image-edit`). */
const PADDING = 64 * 1024;

/**
 * The head of a save image, up to the stream. Little-endian: libvirt swaps the head on big-endian hosts. Source:
 * qemu-stream.md 6
 */
export function libvirtHead(
  image: Pick<LibvirtImage, 'data' | 'wasRunning' | 'compression' | 'cookieOffset'>,
): Uint8Array {
  const head = new Uint8Array(LIBVIRT_HEADER_SIZE + image.data.length);
  const view = new DataView(head.buffer);
  head.set(Buffer.from(LIBVIRT_MAGIC, 'latin1'));
  view.setUint32(16, VERSION, true);
  view.setUint32(20, image.data.length, true);
  view.setUint32(24, image.wasRunning ? 1 : 0, true);
  view.setUint32(28, COMPRESSIONS.indexOf(image.compression), true);
  view.setUint32(32, image.cookieOffset, true);
  head.set(image.data, LIBVIRT_HEADER_SIZE);
  return head;
}

/** The data after the header, without a cookie, for a domain that libvirt has not saved itself. */
export function libvirtData(xml: string): Uint8Array {
  const text = new TextEncoder().encode(xml);
  const data = new Uint8Array(text.length + 1 + PADDING);
  data.set(text);
  return data;
}
