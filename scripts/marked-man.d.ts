declare module 'marked-man' {
  /** An extension of marked that writes roff. */
  const markedMan: import('marked').MarkedExtension;
  export default markedMan;
}
