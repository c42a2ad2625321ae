/** The registration of a provider or a feature in a subscription. `settlesAt`: milliseconds since the epoch. */
export interface Registration {
  readonly state: RegistrationState;
  readonly settlesAt?: number;
}

export type RegistrationState = 'NotRegistered' | 'Registering' | 'Registered' | 'Unregistering' | 'Unregistered';

/** Registrations by subscription and name. A change settles when it is looked at after its time. */
export class RegistrationStore {
  readonly #registrations = new Map<string, Registration>();

  /** Providers end an unregistration as `NotRegistered`, features as `Unregistered`. */
  constructor(private readonly unregistered: 'NotRegistered' | 'Unregistered') {}

  state(subscriptionId: string, name: string, now: number): RegistrationState {
    const registration = this.#registrations.get(keyOf(subscriptionId, name));
    if (registration === undefined) return 'NotRegistered';
    if (registration.settlesAt === undefined || registration.settlesAt > now) return registration.state;
    switch (registration.state) {
      case 'Registering':
        return 'Registered';
      case 'Unregistering':
        return this.unregistered;
      case 'NotRegistered':
      case 'Registered':
      case 'Unregistered':
        return registration.state;
    }
  }

  register(subscriptionId: string, name: string, now: number, settlesAt: number): RegistrationState {
    const state = this.state(subscriptionId, name, now);
    if (state === 'Registered' || state === 'Registering') return state;
    this.set(subscriptionId, name, { state: 'Registering', settlesAt });
    return 'Registering';
  }

  unregister(subscriptionId: string, name: string, now: number, settlesAt: number): RegistrationState {
    const state = this.state(subscriptionId, name, now);
    if (state === 'Registered' || state === 'Registering') {
      this.set(subscriptionId, name, { state: 'Unregistering', settlesAt });
      return 'Unregistering';
    }
    return state;
  }

  set(subscriptionId: string, name: string, registration: Registration): void {
    this.#registrations.set(keyOf(subscriptionId, name), registration);
  }

  entries(): [string, Registration][] {
    return [...this.#registrations];
  }

  restore(entries: readonly (readonly [string, Registration])[]): void {
    this.#registrations.clear();
    for (const [key, registration] of entries) this.#registrations.set(key, registration);
  }
}

function keyOf(subscriptionId: string, name: string): string {
  return `${subscriptionId}/${name}`.toLowerCase();
}
