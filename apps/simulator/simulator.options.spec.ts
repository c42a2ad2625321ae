import { describe, expect, it } from '@jest/globals';
import { SCENARIO_A, readProcessOptions } from './simulator.options.js';

describe('the options of the process', () => {
  it('have defaults, also where a variable is empty', () => {
    expect(readProcessOptions({ SIMULATOR_PORT: '' }, [])).toMatchObject({
      port: 3100,
      host: '127.0.0.1',
      estate: SCENARIO_A,
      tokens: undefined,
      settings: { lroSeconds: 3, indexLagSeconds: 2, throttleScale: 1 },
    });
  });

  it('come from the environment', () => {
    const environment = {
      SIMULATOR_PORT: '4000',
      SIMULATOR_LRO_SECONDS: '0.5',
      SIMULATOR_TOKENS: 'a, b,',
      SIMULATOR_STATE_FILE: 'x.json',
    };
    expect(readProcessOptions(environment, [])).toMatchObject({
      port: 4000,
      stateFile: 'x.json',
      tokens: ['a', 'b'],
      settings: { lroSeconds: 0.5 },
    });
  });

  it.each([
    [['--port', '5000', '--generate', 'clusters=7,fleets=1']],
    [['--port=5000', '--generate=clusters=7,fleets=1']],
  ])('and from the command line, which wins: %j', (commandLine) => {
    const options = readProcessOptions({ SIMULATOR_PORT: '4000', SIMULATOR_ESTATE: 'x.json' }, commandLine);
    expect(options).toMatchObject({ port: 5000, estate: { clusters: 7, fleets: 1, members: 4 } });
  });

  it('are refused with every fault at once', () => {
    const environment = { SIMULATOR_PORT: '99999', SIMULATOR_LRO_SECONDS: 'soon', SIMULATOR_PUBLIC_URL: 'ftp://x' };
    expect(() => readProcessOptions(environment, ['--generate', 'x', '--what'])).toThrow(
      expect.objectContaining({
        name: 'OptionsError',
        faults: expect.arrayContaining([
          expect.stringContaining('SIMULATOR_PORT'),
          expect.stringContaining('SIMULATOR_LRO_SECONDS'),
          expect.stringContaining('SIMULATOR_PUBLIC_URL'),
          expect.stringContaining('--generate'),
          expect.stringContaining('--what'),
        ]),
      }),
    );
  });

  it('are refused when a flag has no value', () => {
    expect(() => readProcessOptions({}, ['--port'])).toThrow(expect.objectContaining({ name: 'OptionsError' }));
  });
});
