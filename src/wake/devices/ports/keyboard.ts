import type { Pckbd } from '../../../../formats/units/chipset/legacy.ts';
import { type Correspondence, computed, same, sameEach } from '../../template/correspondence.ts';
import type { FieldValue, SectionImage } from '../../template/section-image.ts';

/** Bytes of a queue in QEMU's state; QEMU uses the first 16 for a guest. */
const QUEUE_SIZE = 256;
const QUEUE_LIMIT = 16;
/** Bits of QEMU's `pending`: the keyboard or the mouse has bytes for the guest. */
const KEYBOARD_WAITS = 1n;
const MOUSE_WAITS = 2n;
/** Bit of the controller's mode: scan codes are translated. */
const TRANSLATES = 0x40;

type Waiting = (unit: Pckbd) => Uint8Array;
const keys: Waiting = ({ keyboard }) => joined(keyboard.commandQueue, keyboard.keyQueue);
const movements: Waiting = ({ mouse }) => joined(mouse.commandQueue, mouse.eventQueue);

function joined(...queues: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(queues)).subarray(0, QUEUE_LIMIT);
}

/** Unit pckbd: the controller. */
export const keyboardController: readonly Correspondence<Pckbd>[] = [
  ...sameEach('kbd.', '', [
    ['write_cmd', 'writeCommand'],
    ['status', 'status'],
    ['mode', 'mode'],
  ]),
  same('pckbd/extended_state.obdata', 'output'),
  computed('kbd.pending_tmp', (unit) => {
    return (keys(unit).length > 0 ? KEYBOARD_WAITS : 0n) | (movements(unit).length > 0 ? MOUSE_WAITS : 0n);
  }),
];

/** The queue of bytes from a PS/2 device to the guest. */
function queue(waiting: Waiting, put: (unit: Pckbd, bytes: Uint8Array) => void): Correspondence<Pckbd>[] {
  const field = (name: string) => `parent_obj.queue.${name}`;
  const count = (part: Pckbd): FieldValue => BigInt(waiting(part).length);
  return [
    computed(field('rptr'), () => 0n),
    computed(field('wptr'), count),
    computed(field('count'), count),
    {
      qemu: field('data'),
      wake: (part) => {
        const data = new Uint8Array(QUEUE_SIZE);
        data.set(waiting(part));
        return data;
      },
      back: (fields, part) => put(part, queued(fields)),
    },
  ];
}

function queued(fields: SectionImage): Uint8Array {
  const number = (name: string) => Number(fields.number(`parent_obj.queue.${name}`));
  const data = fields.bytes('parent_obj.queue.data');
  const count = Math.min(number('count'), QUEUE_LIMIT);
  return Uint8Array.from({ length: count }, (_, i) => data[(number('rptr') + i) % QUEUE_SIZE]);
}

/** The command whose parameter a device expects; VirtualBox has 0 for none, QEMU −1. */
function command(path: 'keyboard' | 'mouse'): Correspondence<Pckbd> {
  const qemu = 'parent_obj.write_cmd';
  return {
    qemu,
    wake: (part) => BigInt(part[path].command || -1),
    back: (fields, part) => {
      part[path].command = Math.max(0, Number(fields.number(qemu)));
    },
  };
}

/** Unit pckbd: the keyboard. */
export const keyboard: readonly Correspondence<Pckbd>[] = [
  command('keyboard'),
  ...queue(keys, (unit, bytes) => {
    unit.keyboard.keyQueue = bytes;
    unit.keyboard.commandQueue = new Uint8Array();
  }),
  same('scan_enabled', 'keyboard.scanning'),
  same('scancode_set', 'keyboard.scanSet'),
  computed('translate', (part) => ((part.mode & TRANSLATES) !== 0 ? 1n : 0n)),
];

/** Types of mice that VirtualBox and QEMU know: PS/2, with a wheel, with five buttons. */
const MOST_MOUSE = 4;

/** Unit pckbd: the mouse. */
export const mouse: readonly Correspondence<Pckbd>[] = [
  command('mouse'),
  ...queue(movements, (unit, bytes) => {
    unit.mouse.eventQueue = bytes;
    unit.mouse.commandQueue = new Uint8Array();
  }),
  ...sameEach('', 'mouse.', [
    ['mouse_status', 'state'],
    ['mouse_resolution', 'resolution'],
    ['mouse_sample_rate', 'rate'],
  ]),
  {
    qemu: 'mouse_type',
    wake: (part) => BigInt(Math.min(part.mouse.protocol, MOST_MOUSE)),
    back: (fields, part) => {
      part.mouse.protocol = Number(fields.number('mouse_type'));
    },
  },
];
