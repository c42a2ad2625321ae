import type { Authenticator } from '#libs/access/authenticator.js';
import type { Caller } from '#libs/access/caller.js';

/** Who is asking. */
export class AccessControl {
  constructor(private readonly authenticator: Authenticator) {}

  /** @throws ControlError UNAUTHENTICATED */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    return this.authenticator.authenticate(authorization);
  }
}
