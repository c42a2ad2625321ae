/** Makes a `switch` over a closed union fail to compile when a member is not handled, and fail loudly if data lies. */
export function assertNever(value: never): never {
  throw new TypeError(`Unhandled case: ${JSON.stringify(value)}`);
}
