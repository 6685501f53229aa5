import { UnsupportedError } from '../../errors.ts';
import type { ByteSink, SeekableSink } from '../../files/sink.ts';
import { chosenFrom } from '../../values/chosen-from.ts';
import { CONTAINER_FORMATS, type ContainerFormat } from '../container.ts';
import { COMPRESSIONS, type Compression, type ContainerWriter, type NewContainer } from './container-writer.ts';
import { V1Writer } from './v1-writer.ts';
import { V2Writer } from './v2-writer.ts';

/**
 * Starts a container of a format in a sink. @throws UnsupportedError for V1.x on a sink that can't be written out of
 * order, UsageError `bad-value` for a format or a compression that is none
 */
export function createContainer(
  sink: ByteSink | SeekableSink,
  format: ContainerFormat,
  header: NewContainer,
  compression: Compression = 'lzf',
): ContainerWriter {
  chosenFrom('container', format, CONTAINER_FORMATS);
  chosenFrom('compression', compression, COMPRESSIONS);
  if (format === '2.0') return new V2Writer(sink, header, compression);
  if (!('writeAt' in sink))
    throw new UnsupportedError(
      'needs-file',
      `Cannot write V${format} to a stream: its header holds the size and CRC of the whole file`,
    );
  return new V1Writer(sink, format, header, compression);
}
