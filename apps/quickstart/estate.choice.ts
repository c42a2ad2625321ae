import { readdirSync } from 'node:fs';
import path from 'node:path';

const SUFFIX = '.estate.json';

/** What the simulated Azure begins with, and the name of a directory for what becomes of it. */
export interface EstateChoice {
  name: string;
  file: string;
}

/**
 * Finds the estate that is asked for on the command line among those that come with the simulator.
 * @returns undefined where none is asked for.
 * @throws Error naming those that there are.
 */
export function chooseEstate(commandLine: readonly string[], directory: string): EstateChoice | undefined {
  const [name, ...more] = commandLine;
  if (name === undefined) return undefined;
  const names = readdirSync(directory)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .toSorted();
  if (more.length === 0 && names.includes(name)) return { name, file: path.join(directory, `${name}${SUFFIX}`) };
  throw new Error(`There is no estate "${commandLine.join(' ')}". These come with it: ${names.join(', ')}.`);
}
