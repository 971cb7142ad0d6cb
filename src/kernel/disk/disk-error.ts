/** Why a disk cannot be used, as the end of a sentence: "it …". Shown to users. */
export class DiskError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DiskError';
  }
}

/** `length` bytes from `at`; fewer at the end. */
export type ReadAt = (at: number, length: number) => Promise<Buffer>;
