/** Registers of the card in the order of unit e1000 version 6, with their places. Source: 8254x manual, section 13. */
export const E1000_REGISTERS: readonly (readonly [name: string, offset: number])[] = [
  ...at(
    0x00000,
    'CTRL',
    8,
    'STATUS',
    8,
    'EECD',
    4,
    'EERD',
    4,
    'CTRL_EXT',
    4,
    'FLA',
    4,
    'MDIC',
    8,
    'FCAL',
    4,
    'FCAH',
    8,
  ),
  ...at(0x00030, 'FCT', 8, 'VET'),
  ...at(0x000c0, 'ICR', 4, 'ITR', 4, 'ICS', 8, 'IMS', 8, 'IMC'),
  ...at(0x00100, 'RCTL'),
  ...at(0x00170, 'FCTTV', 8, 'TXCW', 8, 'RXCW'),
  ...at(0x00400, 'TCTL', 16, 'TIPG'),
  ...at(0x00458, 'AIFS'),
  ...at(0x00e00, 'LEDCTL'),
  ...at(0x01000, 'PBA'),
  ...at(0x02160, 'FCRTL', 8, 'FCRTH'),
  ...at(0x02410, 'RDFH', 8, 'RDFT', 8, 'RDFHS', 8, 'RDFTS', 8, 'RDFPC'),
  ...at(0x02800, 'RDBAL', 4, 'RDBAH', 4, 'RDLEN', 8, 'RDH', 8, 'RDT', 8, 'RDTR', 8, 'RXDCTL', 4, 'RADV'),
  ...at(0x02c00, 'RSRPD'),
  ...at(0x03000, 'TXDMAC'),
  ...at(0x03410, 'TDFH', 8, 'TDFT', 8, 'TDFHS', 8, 'TDFTS', 8, 'TDFPC'),
  ...at(0x03800, 'TDBAL', 4, 'TDBAH', 4, 'TDLEN', 8, 'TDH', 8, 'TDT', 8, 'TIDV', 8, 'TXDCTL', 4, 'TADV', 4, 'TSPMT'),
  ...at(0x04000, 'CRCERRS', 4, 'ALGNERRC', 4, 'SYMERRS', 4, 'RXERRC', 4, 'MPC', 4, 'SCC', 4, 'ECOL', 4, 'MCC', 4),
  ...at(0x04020, 'LATECOL', 8, 'COLC', 8, 'DC', 4, 'TNCRS', 4, 'SEC', 4, 'CEXTERR', 4, 'RLEC', 8, 'XONRXC', 4),
  ...at(0x0404c, 'XONTXC', 4, 'XOFFRXC', 4, 'XOFFTXC', 4, 'FCRUC', 4, 'PRC64', 4, 'PRC127', 4, 'PRC255', 4, 'PRC511'),
  ...at(0x0406c, 'PRC1023', 4, 'PRC1522', 4, 'GPRC', 4, 'BPRC', 4, 'MPRC', 4, 'GPTC', 8, 'GORCL', 4, 'GORCH', 4),
  ...at(0x04090, 'GOTCL', 4, 'GOTCH', 12, 'RNBC', 4, 'RUC', 4, 'RFC', 4, 'ROC', 4, 'RJC', 4, 'MGTPRC', 4, 'MGTPDC', 4),
  ...at(0x040bc, 'MGTPTC', 4, 'TORL', 4, 'TORH', 4, 'TOTL', 4, 'TOTH', 4, 'TPR', 4, 'TPT', 4, 'PTC64', 4, 'PTC127', 4),
  ...at(0x040e0, 'PTC255', 4, 'PTC511', 4, 'PTC1023', 4, 'PTC1522', 4, 'MPTC', 4, 'BPTC', 4, 'TSCTC', 4, 'TSCTFC'),
  ...at(0x05000, 'RXCSUM', 0x200, 'MTA', 0x200, 'RA', 0x200, 'VFTA'),
  ...at(0x05800, 'WUC', 8, 'WUFC', 8, 'WUS', 16, 'MANC', 24, 'IPAV'),
  ...at(0x05900, 'WUPL'),
];

/** Registers that follow each other: a name, bytes to the next one, its name, … */
function at(start: number, ...names: (string | number)[]): [string, number][] {
  const registers: [string, number][] = [];
  let offset = start;
  for (const each of names) {
    if (typeof each === 'number') offset += each;
    else registers.push([each, offset]);
  }
  return registers;
}
