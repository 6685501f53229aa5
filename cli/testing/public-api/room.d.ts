export declare class Hidden {}
/** Named only by what callers never construct. */
export declare class Inside {}
export interface Parent {
  /** Told by the parent. */
  inherited: number;
}

export type Bare = { kind: 'a' } | { kind: 'b'; ofUnion: string };

/** A class. */
export declare class Built implements Parent {
  private secret: Inside;
  inherited: number;
  grown: Hidden;
  /** Said. */
  said(value: Bare): Given;
  constructor(value: number);
}

/** Comes from methods of others. */
export declare class Given {
  constructor(inside: Inside);
}
