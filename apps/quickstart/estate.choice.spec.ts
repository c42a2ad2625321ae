import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { chooseEstate } from './estate.choice.js';

const ESTATES = path.resolve(import.meta.dirname, '../simulator/estates');

describe('the estate of a quick start', () => {
  it('is one of those that come with the simulator', () => {
    expect(chooseEstate(['scenario-b'], ESTATES)).toEqual({
      name: 'scenario-b',
      file: path.join(ESTATES, 'scenario-b.estate.json'),
    });
  });

  it('is left to the simulator where none is asked for', () => {
    expect(chooseEstate([], ESTATES)).toBeUndefined();
  });

  it.each([
    { reason: 'there is none of that name', commandLine: ['scenario-z'] },
    { reason: 'a path is no name', commandLine: ['../estates/scenario-b'] },
    { reason: 'there can be only one', commandLine: ['scenario-b', 'scenario-c'] },
  ])('is refused, with the names that there are: $reason', ({ commandLine }) => {
    expect(() => chooseEstate(commandLine, ESTATES)).toThrow(/scenario-a, scenario-b, /);
  });
});
