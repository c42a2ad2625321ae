/** Injection tokens for what is no class. */
export const CONFIGURATION = Symbol('CONFIGURATION');
export const LOGGER = Symbol('LOGGER');
export const CLOCK = Symbol('CLOCK');
