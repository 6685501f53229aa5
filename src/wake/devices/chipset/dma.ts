import type { Dma } from '../../../../formats/units/chipset/legacy.ts';
import { type Correspondence, same } from '../../template/correspondence.ts';

type Controller = Dma['controllers'][number];

/** Indices of the page registers of channels 0 to 3. */
const PAGES = [7, 3, 1, 2];

/**
 * One controller of unit 8237A. QEMU keeps addresses and counts in bytes, and counts up.
 * @param shift 1 for the controller of words
 */
export function dmaController(shift: bigint): Correspondence<Controller>[] {
  return [
    same('command', 'command'),
    same('mask', 'mask'),
    same('flip_flop', 'flipFlop'),
    ...PAGES.flatMap((page, i) => channel(i, page, shift)),
  ];
}

function channel(i: number, page: number, shift: bigint): Correspondence<Controller>[] {
  const of = (part: Controller) => part.channels[i];
  const regs = `regs[${i}].`;
  return [
    same(`${regs}base[0]`, `channels[${i}].baseAddress`),
    same(`${regs}base[1]`, `channels[${i}].baseCount`),
    same(`${regs}mode`, `channels[${i}].mode`),
    same(`${regs}page`, `pages[${page}]`),
    same(`${regs}pageh`, `highPages[${page}]`),
    {
      qemu: `${regs}now[0]`,
      wake: (part) => BigInt(of(part).address) << shift,
      back: (fields, part) => {
        of(part).address = Number((fields.number(`${regs}now[0]`) >> shift) & 0xffffn);
      },
    },
    {
      qemu: `${regs}now[1]`,
      wake: (part) => BigInt(of(part).baseCount - of(part).count) << shift,
      back: (fields, part) => {
        of(part).count = Number((BigInt(of(part).baseCount) - (fields.number(`${regs}now[1]`) >> shift)) & 0xffffn);
      },
    },
  ];
}
