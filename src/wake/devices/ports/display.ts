import { type Correspondence, same, sameBytes, sameEach, sameList } from '../../template/correspondence.ts';

/** Number of VBE registers that VirtualBox and QEMU have. */
const VBE_REGISTERS = 10;

/** Unit vga, without video memory and VirtualBox's own fields. */
export const display: readonly Correspondence[] = [
  same('vga.latch', 'latch'),
  same('vga.sr_index', 'sequencerIndex'),
  sameBytes('vga.sr', 'sequencer'),
  same('vga.gr_index', 'graphicsIndex'),
  sameBytes('vga.gr', 'graphics'),
  same('vga.ar_index', 'attributeIndex'),
  sameBytes('vga.ar', 'attribute'),
  same('vga.ar_flip_flop', 'attributeFlipFlop'),
  same('vga.cr_index', 'crtcIndex'),
  sameBytes('vga.cr', 'crtc'),
  ...sameEach('vga.', '', [
    ['msr', 'msr'],
    ['fcr', 'fcr'],
    ['st00', 'st00'],
    ['st01', 'st01'],
    ['dac_state', 'dacState'],
    ['dac_sub_index', 'dacSubIndex'],
    ['dac_read_index', 'dacReadIndex'],
    ['dac_write_index', 'dacWriteIndex'],
  ]),
  sameBytes('vga.dac_cache', 'dacCache'),
  sameBytes('vga.palette', 'palette'),
  same('vga.bank_offset', 'bankOffset'),
  same('vga.vbe_index', 'vbeIndex'),
  ...sameList('vga.vbe_regs', 'vbe', VBE_REGISTERS),
  same('vga.vbe_start_addr', 'vbeStart'),
  same('vga.vbe_line_offset', 'vbeLine'),
];
