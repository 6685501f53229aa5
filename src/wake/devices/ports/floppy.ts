import { type Correspondence, sameBytes, sameEach } from '../../template/correspondence.ts';

/** Unit i82078. */
export const floppy: readonly Correspondence[] = [
  ...sameEach('state.', '', [
    ['sra', 'sra'],
    ['srb', 'srb'],
    ['dor_vmstate', 'dor'],
    ['tdr', 'tdr'],
    ['dsr', 'dsr'],
    ['msr', 'msr'],
    ['status0', 'status0'],
    ['status1', 'status1'],
    ['status2', 'status2'],
    ['data_pos', 'position'],
    ['data_len', 'length'],
    ['data_state', 'dataState'],
    ['data_dir', 'dataDirection'],
    ['eot', 'endOfTrack'],
    ['timer0', 'timer0'],
    ['timer1', 'timer1'],
    ['precomp_trk', 'precompensation'],
    ['config', 'config'],
    ['lock', 'lock'],
    ['pwrd', 'power'],
  ]),
  sameBytes('state.fifo', 'fifo'),
  ...[0, 1].flatMap((i) =>
    sameEach(`state.drives[${i}].`, `drives[${i}].`, [
      ['head', 'head'],
      ['track', 'track'],
      ['sect', 'sector'],
    ]),
  ),
];
