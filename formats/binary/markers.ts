import { WIDE } from './cursor.ts';
import { marker } from './kinds.ts';

/** `SSMR3STRUCT_BEGIN` and `SSMR3STRUCT_END`: markers before and after the fields of a structure. */
export const STRUCT_BEGIN = 0x19200102;
export const STRUCT_END = 0x19920406;
/** Ends lists, such as those of mappings, RAM ranges and devices, and many units. */
export const END_OF_LIST = 0xffffffff;

/** Fields of layouts for these markers. */
export const begin = { kind: marker(STRUCT_BEGIN, 'VERR_SSM_STRUCTURE_MAGIC'), doc: 'start of structure' };
export const end = { kind: marker(STRUCT_END, 'VERR_SSM_STRUCTURE_MAGIC'), doc: 'end of structure' };
export const separator = { kind: marker(END_OF_LIST, 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED'), doc: 'separator' };
/** Bytes of a separator. */
export const SEPARATOR_SIZE = separator.kind.size(WIDE);
