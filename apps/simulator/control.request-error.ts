/** A request to the simulator itself (not to the Azure it plays) that cannot be carried out. */
export class ControlRequestError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly faults: readonly string[] = [],
  ) {
    super(message);
    this.name = 'ControlRequestError';
  }
}
