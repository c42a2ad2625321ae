/**
 * malformed: the patch itself is not one (400) | test-failed: a JSON patch's `test` does not hold (422) |
 * path-missing: it names a place that is not there (422) | unprocessable: it cannot be applied to this object (422).
 */
export type PatchFault = 'malformed' | 'test-failed' | 'path-missing' | 'unprocessable';

/** A patch that cannot be applied. The object is as it was. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  constructor(
    readonly fault: PatchFault,
    message: string,
  ) {
    super(message);
  }
}
