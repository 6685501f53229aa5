import type { Pass } from '../../formats/errors.ts';
import { isRam, type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import type { UnitHeader } from '../../formats/ssm/container.ts';
import { clock } from '../../formats/world/waiting.ts';
import { FrameSet } from '../../src/saved-state/reading/frame-set.ts';

/** One pass of a live stream, as seen on the wire. */
export interface PassFigures {
  pass: Pass;
  /** Page records of all kinds. */
  pages: number;
  zeroPages: number;
  /** RAM pages that an earlier pass had sent already: the guest has written to them since. */
  dirtiedPages: number;
  /** Bytes of the stream. */
  bytes: number;
  seconds: number;
}

/** Figures of a stream while it passes. */
export interface StreamFigures {
  bytes: number;
  seconds: number;
  passes: PassFigures[];
}

/** Collects figures of a stream while `verify` reads it. */
export class PassObserver {
  readonly figures: StreamFigures = { bytes: 0, seconds: 0, passes: [] };
  readonly #onChange: (figures: StreamFigures) => void;
  readonly #sent = new FrameSet();
  readonly #start = clock();
  #passStart = this.#start;
  #passOffset = 0;

  /** @param onChange called from time to time with the figures, an object that goes on changing */
  constructor(onChange: (figures: StreamFigures) => void = () => {}) {
    this.#onChange = onChange;
  }

  readonly onUnit = ({ pass, offset }: UnitHeader): void => {
    const { passes } = this.figures;
    if (passes.at(-1)?.pass === pass) return;
    this.onProgress(offset);
    this.#passStart = clock();
    this.#passOffset = offset;
    passes.push({ pass, pages: 0, zeroPages: 0, dirtiedPages: 0, bytes: 0, seconds: 0 });
  };

  readonly onPages = ({ count, kind, page }: PageBatch): void => {
    const pass = this.figures.passes.at(-1);
    if (!pass) return;
    pass.pages += count;
    for (let i = 0; i < count; i++) {
      if (kind[i] === PageKind.RAM_ZERO || kind[i] === PageKind.MMIO2_ZERO || kind[i] === PageKind.ROM_SHADOW_ZERO)
        pass.zeroPages++;
      if (isRam(kind[i]) && !this.#sent.add(page[i])) pass.dirtiedPages++;
    }
  };

  readonly onProgress = (offset: number): void => {
    const now = clock();
    this.figures.bytes = offset;
    this.figures.seconds = (now - this.#start) / 1000;
    const pass = this.figures.passes.at(-1);
    if (pass) {
      pass.bytes = offset - this.#passOffset;
      pass.seconds = (now - this.#passStart) / 1000;
    }
    this.#onChange(this.figures);
  };
}
