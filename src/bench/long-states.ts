import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { writeBenchState } from './make-state.ts';

const RAM = 16 * MIB;

/** Makes a state of a machine with very many units besides its memory. */
export function makeManyUnits(path: string, count: number): Promise<void> {
  return writeBenchState(path, { ramSize: RAM }, async (out, putPages) => {
    await putPages('final', () => []);
    for (let instance = 0; instance < count; instance++) {
      out.beginUnit({ name: `unit${instance % 1000}`, instance, version: 1, pass: 'final' });
      out.put(Uint8Array.of(instance % 251));
      out.endUnit();
      if (out.isFull) await out.flush();
    }
  });
}

/** Makes a live save of very many passes, each of four pages. */
export function makeManyPasses(path: string, count: number): Promise<void> {
  return writeBenchState(path, { ramSize: RAM, live: true }, async (_, putPages) => {
    const page = new Uint8Array(PAGE_SIZE);
    for (let pass = 0; pass < count; pass++)
      await putPages(pass, function* () {
        for (let frame = 0; frame < 4; frame++) {
          page[0] = pass;
          page[1] = frame + 1;
          yield { frame, page };
        }
      });
    await putPages('final', () => []);
  });
}
